"""Arrays that users give as inputs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shufflenet_deploy.runtime.engines.arrays import read_array
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.files import sha256


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        ("float64", "float32"),
        ("float32", "float16"),
        ("float32", "float32"),
        ("int64", "int32"),
        ("uint8", "int64"),
        ("int32", "float32"),
        ("bool", "int32"),
        ("bool", "bool"),
        (">f4", "float32"),
    ],
)
@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 3)])
def test_an_array_is_read_as_the_model_takes_it(
    dtype: str, wanted: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    array = np.ones(shape, dtype)
    read = read_array(saved(tmp_path / "x.npy", array), wanted)
    assert (read.dtype, read.shape, read.flags.c_contiguous) == (np.dtype(wanted), shape, True)
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (np.array([0.5]), "int64"),
        (np.array([300]), "uint8"),
        (np.array([2**40]), "int32"),
        (np.array(["a"]), "float32"),
        (np.array([1j]), "float32"),
    ],
)
def test_an_array_of_other_values_is_refused(
    array: np.ndarray[Any, Any], wanted: str, tmp_path: Path
) -> None:
    path = saved(tmp_path / "x.npy", array)
    with pytest.raises(InferenceError, match=rf"takes {wanted}: save it with .*'{wanted}'") as no:
        read_array(path, wanted)
    assert no.value.usage


class Malicious:
    """What writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_an_array_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = tmp_path / "x.npy"
    np.save(path, np.array([Malicious(mark)], object), allow_pickle=True)
    with pytest.raises(InferenceError, match=r"cannot be read: Object arrays"):
        read_array(path, "float32")
    (tmp_path / "y.npy").write_bytes(pickle.dumps(Malicious(mark)))
    with pytest.raises(InferenceError, match="not an array in NumPy's format: save it"):
        read_array(tmp_path / "y.npy", "float32")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "but an empty file"),
        (b"PK\x03\x04", "an archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x93NUMPY", "cannot be read"),
        (b"\x93NUMPY\x01\x00\x04\x00{{{{", "cannot be read"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "cannot be read"),
    ],
)
def test_what_is_no_array_is_called_what_it_is(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(InferenceError, match=message) as refused:
        read_array(tmp_path / "x.npy", "float32")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("shape", [(4,), (10**15,), (10**9, 10**9, 10**9)])
def test_an_array_that_is_cut_off_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117)
    content = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header + b"\n" + b"\0" * 8
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(InferenceError, match=r"--input .*x\.npy"):
        read_array(tmp_path / "x.npy", "float32")


def test_a_file_that_is_not_there_or_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match="No such file"):
        read_array(tmp_path / "x.npy", "float32")
    path = saved(tmp_path / "x.npy", np.ones(3))
    assert read_array(path, "float32", sha256(path)).shape == (3,)
    with pytest.raises(InferenceError, match="was replaced meanwhile"):
        read_array(path, "float32", "0" * 64)
