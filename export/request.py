"""What is to be exported, checked before anything heavy is imported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shufflenet_deploy.export import ExportError
from shufflenet_deploy.models import ModelsError, Size, Variant, variant
from shufflenet_deploy.runtime.artifact import Options

FORMATS = ("onnx", "tflite")
PRECISIONS = ("fp32",)
LOWERINGS = ("fast", "plain")
WEIGHTS = ("random",)


@dataclass(frozen=True)
class Request:
    """One network, and the artifacts to make of it."""

    variant: Variant
    artifacts: tuple[Options, ...]
    """One for each format and precision, all of `variant`."""
    out: Path
    """The folder to write to; made where it is missing."""


def request(
    *,
    network: str,
    groups: int | None,
    scale: float | None,
    input_size: str,
    formats: Sequence[str],
    precisions: Sequence[str],
    lowering: str,
    weights: str,
    out: Path,
) -> Request:
    """Check a command line's values. Raises `ExportError` (usage) that names the wrong one."""
    for option, values, choices in (
        ("format", formats, FORMATS),
        ("precision", precisions, PRECISIONS),
        ("lowering", [lowering], LOWERINGS),
        ("weights", [weights], WEIGHTS),
    ):
        for value in values:
            if value not in choices:
                raise ExportError(
                    f"unknown {option} {value!r}: choose from {', '.join(choices)}", usage=True
                )
    try:
        chosen = variant(network, groups, scale, parse_size(input_size))
    except ModelsError as error:
        raise ExportError(str(error), usage=True) from None
    artifacts = [
        Options(
            network=chosen.network,
            groups=chosen.groups,
            scale=chosen.scale,
            input_size=chosen.input_size,
            format=format_,
            precision=precision,
            lowering=lowering,
            weights=weights,
        )
        # dict.fromkeys: a format given twice is made once
        for precision in dict.fromkeys(precisions)
        for format_ in dict.fromkeys(formats)
    ]
    return Request(chosen, tuple(artifacts), out)


def parse_size(text: str) -> Size:
    """``224`` or ``480x640`` (height x width) -> (height, width). `ExportError` for others."""
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text, re.ASCII)
    if match is None:
        raise ExportError(
            f"input size {text!r} is not a number of pixels such as 224, or a height x width "
            "such as 480x640",
            usage=True,
        )
    height = int(match[1])
    return height, int(match[2] or height)
