"""Inputs for a model by its engine's description: all that there is without a manifest.

Where the description leaves something open the user may say it, see `given.GivenInput`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.engines.arrays import read_array
from shufflenet_deploy.runtime.engines.given import GivenInput, UsedInput
from shufflenet_deploy.runtime.errors import InferenceError

_FLOATS = ("float16", "float32", "float64")
_PIXELS = ("uint8", "int8")
_WHOLE = (*_PIXELS, "int16", "uint16", "int32", "uint32", "int64", "uint64")
TYPES = (*_FLOATS, *_WHOLE, "bool")
"""The types of numbers that can be made, as numpy calls them."""
MAKING_BYTES = 24
"""How much each number takes while it is made: twice in 8 bytes, and then itself."""

Values = Callable[[tuple[int, ...], str, np.random.RandomState], NDArray[Any]]


@dataclass(frozen=True)
class Input:
    """An input of a model, as its engine describes it."""

    name: str
    shape: tuple[int | str | None, ...]
    """The size of each dimension; a free one has its name here, or None where it has no name."""
    dtype: str
    """The type of the numbers as numpy calls it, such as ``float32``."""


@dataclass(frozen=True)
class MadeInput:
    """What a model gets as one of its inputs, and what is kept of that."""

    array: NDArray[Any]
    used: UsedInput


def seeded_inputs(
    path: Path,
    inputs: Sequence[Input],
    given: Iterable[GivenInput] = (),
    seed: int = 0,
    available_bytes: int | None = None,
) -> tuple[MadeInput, ...]:
    """One input for each that the model in `path` takes, the same on every machine.

    What nobody says is chosen: a free batch is 1, floats are of zero mean and unit variance, pixels
    (uint8 and int8) are all of their values, and other whole numbers, which often are places in a
    table, are zero. Raises `InferenceError` for other dimensions that are free, for a type that is
    no number, where what is `given` does not fit, and where making it takes more memory than is
    available, as far as that is known.
    """
    given = tuple(given)
    alone = len(inputs) == 1

    def said(tensor: Input) -> GivenInput:
        return next((one for one in given if one.is_for(tensor.name, alone)), GivenInput())

    return tuple(_made(path, tensor, said(tensor), seed, available_bytes) for tensor in inputs)


def _made(
    path: Path, tensor: Input, given: GivenInput, seed: int, available_bytes: int | None
) -> MadeInput:
    if tensor.dtype not in TYPES:
        raise InferenceError(
            f"{path} takes {tensor.dtype} as its input {tensor.name!r}: "
            f"only {', '.join(TYPES)} can be made without a manifest"
        )
    if given.file is not None:
        array = read_array(Path(given.file), tensor.dtype, given.sha256)
        _require_fitting(path, tensor, array.shape, Path(given.file).name)
        return _kept(tensor, array, Path(given.file).name)
    if given.shape is not None:
        _require_fitting(path, tensor, given.shape, f"--shape {_times(given.shape)}")
    shape = given.shape or _own_shape(path, tensor)
    values, called = _values(path, tensor, given)
    random = np.random.RandomState(seed)  # see `seeded_images` for why this one
    try:
        if available_bytes is not None and prod(shape) * MAKING_BYTES > available_bytes:
            raise MemoryError(f"of memory {available_bytes / 1e6:.0f} MB are available")
        # numpy makes a number of an array without dimensions.
        array = np.asarray(values(shape, tensor.dtype, random), tensor.dtype)
    except (MemoryError, ValueError) as error:  # ValueError: more than an array can have at all
        raise InferenceError(f"{path}: no input of shape {shape} can be made: {error}") from None
    return _kept(tensor, array, called)


def _kept(tensor: Input, array: NDArray[Any], values: str) -> MadeInput:
    used = UsedInput(name=tensor.name, shape=array.shape, dtype=tensor.dtype, values=values)
    return MadeInput(array, used)


def _own_shape(path: Path, tensor: Input) -> tuple[int, ...]:
    sizes = []
    for place, size in enumerate(tensor.shape):
        if not isinstance(size, int):
            if place > 0:
                called = f" ({size})" if size else ""
                raise InferenceError(
                    f"{path}: dimension {place}{called} of its input {tensor.name!r} is free: "
                    f"give a size, --shape {tensor.name}={_wanted(tensor)}",
                    usage=True,
                )
            size = 1
        sizes.append(size)
    return tuple(sizes)


def _require_fitting(path: Path, tensor: Input, shape: Sequence[int], what: str) -> None:
    """Raise `InferenceError` where `shape`, which is of `what`, is none that the input may have."""
    if len(shape) == len(tensor.shape) and all(
        wanted == size or not isinstance(wanted, int)
        for wanted, size in zip(tensor.shape, shape, strict=True)
    ):
        return
    raise InferenceError(
        f"{path} takes {_wanted(tensor) or 'one number'} as its input {tensor.name!r}, "
        f"and {what} is {_times(shape) or 'one number'}",
        usage=True,
    )


def _wanted(tensor: Input) -> str:
    """The shape that an input may have, its free dimensions by name or by letter."""
    return "x".join(
        str(size) if isinstance(size, int) else (size or "NABCDEFGH"[min(place, 8)])
        for place, size in enumerate(tensor.shape)
    )


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _values(path: Path, tensor: Input, given: GivenInput) -> tuple[Values, str]:
    """What makes the numbers, and what they are called."""
    if given.range is None:
        if tensor.dtype in _FLOATS:
            return _normal, "normal"
        return (_all, "all") if tensor.dtype in _PIXELS else (_zeros, "zeros")
    low, high = map(float, given.range)
    called = f"{_number(low)}:{_number(high)}"
    if tensor.dtype in _FLOATS:
        return lambda shape, dtype, random: random.uniform(low, high, shape), called
    lowest, highest = _limits(tensor.dtype)
    if not (low.is_integer() and high.is_integer() and lowest <= low and high <= highest):
        raise InferenceError(
            f"{path} takes {tensor.dtype} as its input {tensor.name!r}, and --range {called} is no "
            f"range of whole numbers from {lowest} to {highest}",
            usage=True,
        )
    first, last = int(low), int(high)
    return lambda shape, dtype, random: _whole(first, last, shape, dtype, random), called


def _number(value: float) -> str:
    return str(int(value) if value.is_integer() else value)


def _limits(dtype: str) -> tuple[int, int]:
    if dtype == "bool":
        return 0, 1
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _normal(shape: tuple[int, ...], dtype: str, random: np.random.RandomState) -> NDArray[Any]:
    return np.asarray((random.random_sample(shape) - 0.5) * 12**0.5)


def _all(shape: tuple[int, ...], dtype: str, random: np.random.RandomState) -> NDArray[Any]:
    return _whole(*_limits(dtype), shape, dtype, random)


def _zeros(shape: tuple[int, ...], dtype: str, random: np.random.RandomState) -> NDArray[Any]:
    return np.zeros(shape, dtype)


def _whole(
    first: int, last: int, shape: tuple[int, ...], dtype: str, random: np.random.RandomState
) -> NDArray[Any]:
    """From `first` to `last`, both included."""
    made_of: type[np.int64 | np.uint64] = np.uint64 if last >= 2**63 else np.int64
    return np.asarray(random.randint(first, last + 1, size=shape, dtype=made_of))


def check_finite(path: Path, output: object) -> None:
    """Raise `InferenceError` where a model's output has numbers that are none."""
    if (
        isinstance(output, np.ndarray)  # of other kinds, such as labels, nothing can be said
        and output.dtype.kind == "f"
        and not np.isfinite(output).all()
    ):
        raise InferenceError(
            f"{path} answers a seeded input with numbers that are not finite; "
            "a time of it would mean nothing"
        )
