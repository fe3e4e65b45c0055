"""Arrays in NumPy's own format, as users give them: read without running anything.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.files import sha256
from shufflenet_deploy.runtime.files.kind import mistaken, start_of

_MAGIC = b"\x93NUMPY"


def read_array(path: Path, dtype: str, hash_: str | None = None) -> NDArray[Any]:
    """The array in `path` as numbers of `dtype`, contiguous.

    Raises `InferenceError` (usage) where it is not there, is no such file, is not the one of that
    hash, or holds values which are others as `dtype`.
    """
    try:
        start = start_of(path)
        if not start.startswith(_MAGIC):
            kind = mistaken(start)
            raise InferenceError(
                f"--input {path} is not an array in NumPy's format"
                f"{f' but {kind}' if kind else ': save it with numpy.save'}",
                usage=True,
            )
        if hash_ is not None and sha256(path) != hash_:
            raise InferenceError(f"--input {path} was replaced meanwhile: start again")
        array = np.load(path, allow_pickle=False)
    except InferenceError:
        raise
    except OSError as error:
        raise InferenceError(
            f"--input {path}: {error.strerror or 'its data are cut off: save it again'}", usage=True
        ) from None
    except Exception as error:  # noqa: BLE001 - a broken header raises anything
        said = " ".join(str(error).split()) or type(error).__name__
        raise InferenceError(f"--input {path} cannot be read: {said[:200]}", usage=True) from None
    return _as(array, dtype, path)


def _as(array: NDArray[Any], dtype: str, path: Path) -> NDArray[Any]:
    """`array` in another type of the same kind: float64, as NumPy makes them, becomes float32."""
    wanted = np.dtype(dtype)
    if np.can_cast(array.dtype, wanted, "same_kind"):
        with np.errstate(over="ignore"):
            same = np.ascontiguousarray(array, wanted).reshape(array.shape)
        if wanted.kind == "f" or np.array_equal(same, array):
            return same
    raise InferenceError(
        f"--input {path} holds {array.dtype}, and the model takes {dtype}: save it with "
        f"array.astype('{dtype}')",
        usage=True,
    )
