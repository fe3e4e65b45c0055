"""Options that several commands have, and values that Typer has no type for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from shufflenet_deploy.bench.provision import Way
from shufflenet_deploy.runtime.engines import ENGINES
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.formats import FORMATS, suffixes

ANY_MODEL = f"any {suffixes(' and ')}"
"""Which models of other tools can be named, in the words of the help."""
NATIVE_RUNNER = " or ".join(
    f"{engine.title}'s {engine.native_runner}"
    for engine in ENGINES.values()
    if engine.native_runner
)
NATIVE_FILES = " and ".join(
    format_.files[0]
    for format_ in FORMATS.values()
    if any(ENGINES[name].native_runner for name in format_.engines)
)
"""Which files the other harness measures, in the words of the help."""
DeviceName = Annotated[
    str,
    typer.Option(
        "--device", help="Where: local is this machine; shufflenet-bench devices lists them."
    ),
]
AnyBoard = Annotated[bool, typer.Option("--any-board", help="Whatever the board calls itself.")]
Provision = Annotated[
    str | None,
    typer.Option(
        "--provision",
        metavar="venv|bundle",
        show_default="the one that fits",
        help="How a worker gets to the device: into an environment of its own Python, or with one "
        "that is brought along.",
    ),
]
Cpu = Annotated[
    str | None,
    typer.Option("--cpu", metavar="NAME", show_default="cortex-a72", help="Of --device emulated."),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format", metavar="|".join(FORMATS), help="Of the suite: only this; may be repeated."
    ),
]
Engines = Annotated[
    list[str] | None,
    typer.Option(
        "--engine",
        metavar="|".join(ENGINES),
        show_default="the first that runs the file",
        help="What runs the files; repeated, each file is run by every one that can.",
    ),
]
Precisions = Annotated[
    list[str] | None,
    typer.Option(
        "--precision",
        metavar="fp32|fp16|int8",
        show_default="fp32",
        help="Of the suite; may be repeated.",
    ),
]
Shapes = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="[NAME=]NxN...",
        help="Of a model without a manifest: the sizes of an input of which it leaves some open, "
        "such as x=1x3x48x192; may be repeated.",
    ),
]
Ranges = Annotated[
    list[str] | None,
    typer.Option(
        "--range",
        metavar="[NAME=]LOW:HIGH",
        show_default="normal floats, all pixels, zero for other whole numbers",
        help="Of the same: the numbers that an input gets, both included; or one, such as "
        "rate=16000; may be repeated.",
    ),
]
InputFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="[NAME=]FILE.npy",
        help="Of the same: what an input gets, as numpy.save wrote it; may be repeated.",
    ),
]
Folder = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        help="Where the suite's artifacts are. Those missing are exported to it first.",
    ),
]


def numbers(option: str, text: str, minimum: int, maximum: int) -> tuple[int, ...]:
    """Numbers separated by commas, each once and in the order given."""
    try:
        given = tuple(dict.fromkeys(int(word) for word in text.split(",")))
    except ValueError:
        raise BenchError(
            f"{option} {text!r}: give numbers such as 1 or 1,2,4", usage=True
        ) from None
    for number in given:
        if not minimum <= number <= maximum:
            raise BenchError(
                f"{option}: {number} is not between {minimum} and {maximum}", usage=True
            )
    return given


def caches(text: str | None) -> bool | None:
    """Whether caches are simulated, beside counting instructions; None where it was not said."""
    if text not in (None, "instructions", "cache"):
        raise BenchError(f"--counts {text!r}: choose instructions or cache", usage=True)
    return None if text is None else text == "cache"


def way(text: str | None) -> Way | None:
    """A way of provisioning by its name."""
    if text is None:
        return None
    known: tuple[Way, ...] = get_args(Way)
    for name in known:
        if text == name:
            return name
    raise BenchError(f"--provision {text!r}: choose venv or bundle", usage=True)
