"""Files that are whole or not there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.files import sha256, staged


def test_a_file_appears_whole_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with staged(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_until_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        with staged(path) as temporary:
            temporary.write_bytes(b"new")
            assert path.read_bytes() == b"old"
        assert path.read_bytes() == b"new"
        assert reader.read() == b"old"  # replaced, not written over


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def fail_halfway() -> None:
        with staged(path) as temporary:
            temporary.write_bytes(b"ha")
            raise failure

    with pytest.raises(failure):
        fail_halfway()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_rename_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "model.onnx"
    folder.mkdir()
    with pytest.raises(OSError), staged(folder) as temporary:  # noqa: PT011 - which is the system's
        temporary.write_bytes(b"new")
    assert list(tmp_path.iterdir()) == [folder]


def test_the_temporary_name_is_in_the_same_folder_with_the_same_suffix(tmp_path: Path) -> None:
    with staged(tmp_path / "model.onnx") as temporary:
        temporary.touch()
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".onnx"


@given(content=st.binary(max_size=200))
def test_the_hash_is_that_of_the_content(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "hashed"
    path.write_bytes(content)
    assert sha256(path) == hashlib.sha256(content).hexdigest()


def test_what_goes_wrong_is_told_by_the_name_that_users_know(tmp_path: Path) -> None:
    path, other = tmp_path / "gone/file", tmp_path / "other"
    with pytest.raises(FileNotFoundError) as caught, staged(path) as temporary:
        temporary.write_bytes(b"")
    assert caught.value.filename == str(path)
    with pytest.raises(OSError, match="No space left") as full, staged(tmp_path / "file"):
        raise OSError(28, "No space left on device")
    assert full.value.filename == str(tmp_path / "file")
    with pytest.raises(FileNotFoundError) as caught, staged(tmp_path / "file"):
        other.read_bytes()  # not about what is written
    assert caught.value.filename == str(other)
