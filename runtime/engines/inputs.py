"""What a model takes by its engine's description: all that there is without a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.preprocess import INPUT_TYPES


@dataclass(frozen=True)
class Input:
    """An input of a model, as its engine describes it."""

    name: str
    shape: tuple[int | str | None, ...]
    """The size of each dimension; a free one has its name here, or None where it has no name."""
    dtype: str
    """The type of the numbers as numpy calls it, such as ``float32``."""


def seeded_input(path: Path, inputs: Sequence[Input], seed: int = 0) -> NDArray[Any]:
    """An input for the model in `path`, the same on every machine; of a free batch it is 1.

    float32 gets numbers of zero mean and unit variance, the others all of their values. Raises
    `InferenceError` for a model with several inputs, other free dimensions or another type.
    """
    if len(inputs) > 1:
        names = ", ".join(repr(tensor.name) for tensor in inputs)
        raise InferenceError(f"{path} has {len(inputs)} inputs ({names}): only models of one run")
    (only,) = inputs
    if only.dtype not in INPUT_TYPES:
        raise InferenceError(
            f"{path} takes {only.dtype} as its input {only.name!r}: "
            f"only {', '.join(INPUT_TYPES)} can be made without a manifest"
        )
    try:
        return _numbers(_shape(path, only), only.dtype, seed)
    except (MemoryError, ValueError) as error:  # ValueError: more than an array can have at all
        raise InferenceError(
            f"{path}: no input of shape {only.shape} can be made: {error}"
        ) from None


def _shape(path: Path, tensor: Input) -> tuple[int, ...]:
    sizes = []
    for place, size in enumerate(tensor.shape):
        if not isinstance(size, int):
            if place > 0:
                called = f" ({size})" if size else ""
                raise InferenceError(
                    f"{path}: dimension {place}{called} of its input {tensor.name!r} is free, and "
                    "only the batch, dimension 0, may be: export it with a fixed size"
                )
            size = 1
        sizes.append(size)
    return tuple(sizes)


def _numbers(shape: tuple[int, ...], dtype: str, seed: int) -> NDArray[Any]:
    """See `seeded_images` for why `RandomState`."""
    random = np.random.RandomState(seed)
    numbers: NDArray[Any]
    if dtype == "float32":
        numbers = (random.random_sample(shape) - 0.5) * 12**0.5
    else:
        limits = np.iinfo(dtype)
        numbers = random.randint(limits.min, int(limits.max) + 1, size=shape)
    return np.asarray(numbers, dtype)  # numpy makes a number of an array without dimensions


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
