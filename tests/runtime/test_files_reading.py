"""Only regular files are read: a pipe is no trap."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from shufflenet_deploy.runtime.files.reading import irregular, opened, read_bytes


@pytest.fixture(params=["pipe", "socket", "device", "link to a device"])
def strange(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Something that is no file."""
    path = tmp_path / "it"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's path may not be long
        try:
            with socket.socket(socket.AF_UNIX) as unix:
                unix.bind("it")
        finally:
            os.chdir(here)
    elif request.param == "device":
        return Path(os.devnull)
    else:
        path.symlink_to(os.devnull)
    return path


def test_what_is_no_file_is_not_read(strange: Path) -> None:
    with pytest.raises(OSError, match="and not a file") as caught:
        read_bytes(strange)
    assert caught.value.filename == str(strange)
    assert caught.value.strerror == f"it is {irregular(strange)} and not a file"


def test_files_are_read_through_links_too(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"content" * 100_000)
    link.symlink_to(file)
    assert read_bytes(link) == file.read_bytes()
    with opened(file) as stream:
        assert stream.read(7) == b"content"
    assert irregular(link) is None


def test_folders_and_what_is_not_there_fail_as_ever(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none")
    assert irregular(tmp_path) is None
    assert irregular(tmp_path / "none") is None
    assert irregular(Path("a\0b")) is None


def test_what_becomes_a_pipe_in_between_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    real = os.open

    def replaced(path: Path, flags: int) -> int:
        file.unlink()
        os.mkfifo(file)
        return real(path, flags)

    monkeypatch.setattr(os, "open", replaced)
    with pytest.raises(OSError, match="it is a pipe and not a file"):
        read_bytes(file)
