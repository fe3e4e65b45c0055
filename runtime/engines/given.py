"""What a user says of a model's inputs, where the model itself does not tell.

Nothing here imports numpy, which would start its threads before a worker has told it how many.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

MOST_DIMENSIONS = 32
"""More than any engine takes."""

MAX_SIZE = 2**31 - 1
"""The largest size of a dimension: engines hold them in 32 bits."""

_Size = Annotated[int, msgspec.Meta(ge=1, le=MAX_SIZE)]


class GivenInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of one input of the models that have one of its name."""

    name: str | None = None
    """The input's name in the model; None is the only input of a model that has one."""
    shape: Annotated[tuple[_Size, ...], msgspec.Meta(max_length=MOST_DIMENSIONS)] | None = None
    """The size of each dimension, free or not; None leaves it to the model."""
    range: tuple[float, float] | None = None
    """The lowest and the highest of the numbers that it gets, both of which may occur."""
    file: str | None = None
    """An array in NumPy's format (.npy): what it gets, instead of `shape` and `range`."""
    sha256: str | None = None
    """The hash of `file`, so that it is the same wherever it is read."""

    def is_for(self, name: str, alone: bool) -> bool:
        """Whether it is about the input `name`, which is `alone` where its model has no other."""
        return alone if self.name is None else self.name == name


class UsedInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one input of a model was given in each run."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """The type of the numbers as numpy calls it, such as ``float32``."""
    values: str
    """``normal``: of zero mean and unit variance; ``all``: any of its type; ``zeros``;
    ``LOW:HIGH``; or the name of the file that was given."""
