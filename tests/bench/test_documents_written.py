"""What was measured is written whole, or kept elsewhere: on a real disk that is full."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shufflenet_deploy.bench import documents
from shufflenet_deploy.bench.documents import UnwritableError, write
from small_disk import small_disk

DOCUMENT = b"x" * 100_000


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file on a disk that has no room for another, and what was in it before."""
    with small_disk(tmp_path / "disk", "64k") as disk:
        (disk / "results.json").write_text("before")
        yield disk / "results.json"


def test_of_a_full_disk_both_are_kept_what_was_there_and_what_is_new(
    full: Path, kept: Path
) -> None:
    with pytest.raises(UnwritableError, match="No space left on device") as caught:
        write(full, DOCUMENT)
    assert str(caught.value).startswith(f"cannot write {full}: ")
    (saved,) = kept.glob("*/results.json")
    assert f" is in {saved}: " in str(caught.value)
    assert saved.read_bytes() == DOCUMENT
    assert full.read_text() == "before"
    assert [path.name for path in full.parent.iterdir()] == ["results.json"]


def test_a_folder_that_was_deleted_in_the_middle_costs_nothing(tmp_path: Path, kept: Path) -> None:
    out = tmp_path / "out/results.json"
    out.parent.mkdir()
    write(out, b"first")
    shutil.rmtree(out.parent)
    with pytest.raises(UnwritableError, match=re.escape(f"cannot write {out}: No such file")):
        write(out, DOCUMENT)
    assert [path.read_bytes() for path in kept.glob("*/results.json")] == [DOCUMENT]


def test_without_any_room_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", no_room)
    out = tmp_path / "results.json"
    with pytest.raises(UnwritableError, match=r"device; make room, or name another file with"):
        documents.write(out, DOCUMENT)
    assert list(tmp_path.iterdir()) == []
