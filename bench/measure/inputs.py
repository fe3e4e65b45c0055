"""What a user says of the inputs of other tools' models: read from options, brought to a device."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from shufflenet_deploy.runtime.engines.given import MAX_SIZE, MOST_DIMENSIONS, GivenInput, UsedInput
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import sha256, shown

_FIELDS = ("shape", "range", "file", "sha256")
_SHAPE = re.compile(r"[0-9]+([x,][0-9]+)*", re.ASCII)


def given_inputs(
    shapes: Sequence[str], ranges: Sequence[str], files: Sequence[str]
) -> tuple[GivenInput, ...]:
    """What ``--shape``, ``--range`` and ``--input`` say, one record for each name.

    Raises `BenchError` (usage) for a text that says nothing, a file that cannot be read, and where
    two say the same of an input.
    """
    said: dict[str | None, GivenInput] = {}
    for text in shapes:
        name, _, words = text.rpartition("=")
        _add(said, f"--shape {text}", GivenInput(name=name or None, shape=_shape(text, words)))
    for text in ranges:
        name, _, words = text.rpartition("=")
        _add(said, f"--range {text}", GivenInput(name=name or None, range=_range(text, words)))
    for text in files:
        name, equals, file = text.partition("=")
        if not equals or Path(text).is_file():
            name, file = "", text
        _add(said, f"--input {text}", _with_file(text, name or None, Path(file)))
    return tuple(said.values())


def _add(said: dict[str | None, GivenInput], option: str, new: GivenInput) -> None:
    old = said.get(new.name, GivenInput(name=new.name))
    fields = {name: value for name in _FIELDS if (value := getattr(new, name)) is not None}
    filled = [name for name in _FIELDS if getattr(old, name) is not None]
    if filled and ("file" in (*filled, *fields) or set(filled) & set(fields)):
        raise BenchError(
            f"{option}: the same input has --{'input' if 'file' in filled else filled[0]} already; "
            "say each thing once",
            usage=True,
        )
    said[new.name] = replace(old, **fields)


def _shape(text: str, words: str) -> tuple[int, ...]:
    sizes = tuple(map(int, re.split("[x,]", words))) if _SHAPE.fullmatch(words) else ()
    if (
        not sizes
        or len(sizes) > MOST_DIMENSIONS
        or not all(1 <= size <= MAX_SIZE for size in sizes)
    ):
        raise BenchError(
            f"--shape {text}: give an input's name and its sizes, each 1 or more, such as "
            "x=1x3x224x224",
            usage=True,
        )
    return sizes


def _range(text: str, words: str) -> tuple[float, float]:
    low, _, high = words.partition(":")
    try:
        limits = float(low), float(high or low)
    except ValueError:
        limits = math.nan, math.nan
    if not -math.inf < limits[0] <= limits[1] < math.inf:
        raise BenchError(
            f"--range {text}: give an input's name, its lowest and its highest number, such as "
            "ids=0:29999, or one number such as rate=16000",
            usage=True,
        )
    return limits


def _with_file(text: str, name: str | None, file: Path) -> GivenInput:
    try:
        hash_ = sha256(file)
    except OSError as error:
        raise BenchError(
            f"--input {text}: cannot read {file}: {error.strerror}; give an input's name and an "
            "array that numpy.save wrote, such as x=input.npy",
            usage=True,
        ) from None
    return GivenInput(name=name, file=shown(str(file)), sha256=hash_)


def placed(inputs: Sequence[GivenInput], place: Callable[[str], str]) -> tuple[GivenInput, ...]:
    """`inputs` with their files where `place` has brought them."""
    return tuple(one if one.file is None else replace(one, file=place(one.file)) for one in inputs)


def require_used(inputs: Sequence[GivenInput], taken: Sequence[Sequence[UsedInput]]) -> None:
    """Raise `BenchError` (usage) where something is said of an input that no model has.

    `taken` are the inputs of each model; none of one whose manifest says all of its input.
    """
    for one in inputs:
        if any(one.is_for(used.name, len(group) == 1) for group in taken for used in group):
            continue
        names = sorted({used.name for group in taken for used in group})
        if not names:
            problem = "these models have manifests, which say what they take: say nothing of inputs"
        elif one.name is None:
            problem = f"a model has several inputs: name one of {', '.join(map(repr, names))}"
        else:
            problem = f"no model has an input {one.name!r}: choose {', '.join(map(repr, names))}"
        raise BenchError(f"--shape, --range or --input: {problem}", usage=True)
