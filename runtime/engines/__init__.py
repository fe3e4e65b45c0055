"""The one shape that every inference engine has here, and the table of engines.

An engine is imported when it is first needed: a device has only those that it uses.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from shufflenet_deploy.runtime.engines.inputs import Input
from shufflenet_deploy.runtime.errors import InferenceError


class Session(Protocol):
    """A model loaded into an engine, with a set number of threads."""

    @property
    def engine(self) -> str:
        """The engine's name, such as ``onnxruntime``."""

    @property
    def engine_version(self) -> str:
        """The engine's version."""

    @property
    def delegate_partitions(self) -> int | None:
        """Pieces that LiteRT's XNNPACK delegate runs; None for an engine without delegates."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the model takes: at least one."""

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Images (N, ...) in the model's own layout -> logits (N, classes), for any N."""


Opener = Callable[[Path, int], Session]
"""A file and a number of threads -> a session; `InferenceError` where the engine refuses it."""


def _onnxruntime() -> Opener:
    try:
        from shufflenet_deploy.runtime.engines.onnxruntime import OnnxRuntimeSession
    except ImportError as error:
        raise InferenceError(
            f"ONNX Runtime is not installed ({error}): pip install onnxruntime"
        ) from None
    return OnnxRuntimeSession


def _litert() -> Opener:
    try:
        from shufflenet_deploy.runtime.engines.litert import LiteRTSession
    except ImportError as error:
        raise InferenceError(
            f"LiteRT is not installed ({error}): pip install ai-edge-litert"
        ) from None
    return LiteRTSession


RUNTIMES: dict[str, Callable[[], Opener]] = {
    "onnx": _onnxruntime,
    "tflite": _litert,
}
"""Format, which is the file's suffix -> what imports the engine for it."""


def opener_for(path: Path) -> Opener:
    """Import the engine for `path` and return what opens such files.

    Raises `InferenceError` where there is no engine for it or the engine is not installed.
    """
    importer = RUNTIMES.get(path.suffix.removeprefix("."))
    if importer is None:
        known = ", ".join(f".{suffix}" for suffix in RUNTIMES)
        raise InferenceError(f"no engine runs {path.name!r}: known are {known}", usage=True)
    return importer()


def open_session(path: Path, threads: int = 1) -> Session:
    """Load the model in `path` into the engine for its suffix.

    Raises `InferenceError` where there is no such engine, or it does not take the file.
    """
    return opener_for(path)(path, threads)
