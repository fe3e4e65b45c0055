"""The formats of artifacts: one row each, from which all that lists formats is derived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.external_data import external_data


@dataclass(frozen=True, kw_only=True)
class Format:
    """A row of `FORMATS`."""

    name: str
    """What options and manifests call it."""
    files: tuple[str, ...]
    """The suffixes of its files, each with its dot; the first names the artifact."""
    layout: Literal["NCHW", "NHWC"]
    """How its models take images."""
    engines: tuple[str, ...]
    """The names of the engines that run it; the first is the default."""
    further_files: Callable[[Path], tuple[Path, ...]] | None = None
    """Finds the files that a model of another tool keeps beside it, by what it says itself; None
    where the format has no such thing."""
    fixed_batch: bool = False
    """Whether its models take one image at a time and no batch of another size."""


FORMATS: dict[str, Format] = {
    format_.name: format_
    for format_ in (
        Format(
            name="onnx",
            files=(".onnx",),
            layout="NCHW",
            engines=("onnxruntime",),
            further_files=external_data,
        ),
        Format(name="tflite", files=(".tflite",), layout="NHWC", engines=("litert",)),
    )
}
"""By name, in the order in which users see them."""


def suffixes(between: str) -> str:
    """The suffixes that name an artifact, for a person: ``.onnx and .tflite``."""
    return between.join(format_.files[0] for format_ in FORMATS.values())


def format_of(path: Path) -> Format:
    """The format of the artifact in `path`, by its suffix.

    Raises `InferenceError` (usage) where no format has it.
    """
    for format_ in FORMATS.values():
        if _names(path, format_):
            return format_
    raise InferenceError(f"no engine runs {path.name!r}: known are {suffixes(', ')}", usage=True)


def is_model(path: Path) -> bool:
    """Whether `path` is called like an artifact of some format."""
    return any(_names(path, format_) for format_ in FORMATS.values())


def _names(path: Path, format_: Format) -> bool:
    suffix = format_.files[0]
    name = path.name.lower()  # as Windows and cameras write it
    return name.endswith(suffix) and name != suffix
