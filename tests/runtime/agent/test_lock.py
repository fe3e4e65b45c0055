from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.agent.lock import (
    LOCKS,
    DeviceTakenError,
    Lock,
    MachineLock,
    _described,
    _holder,
    shared_folder,
)

HOLD = """
import sys, time
from pathlib import Path
from shufflenet_deploy.runtime.agent.lock import Lock
lock = Lock(Path(sys.argv[1]), "it's me; \\"$HOME\\"")
print(flush=True)
time.sleep(3600)
"""


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(DeviceTakenError, match=r'^it\'s me; "\$HOME", for \d+ min$'):
            Lock(file, "another")
        holder.kill()
    Lock(file, "another")
    with pytest.raises(DeviceTakenError, match=r"^another, for \d+ min$"):
        Lock(file, "a third")  # of one process, too


def test_a_shorter_name_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.write_text('{"holder":"' + "x" * 500 + '","since":1}')
    Lock(file, "me")
    with pytest.raises(DeviceTakenError, match=r"^me, for \d+ min$"):
        Lock(file, "another")


@pytest.mark.parametrize(("since", "minutes"), [(1000, 0), (970, 0), (940, 1), (400, 10), (2e9, 0)])
def test_for_how_long_it_is_taken_is_told_in_minutes(
    since: float, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.clock_gettime", lambda clock: 1000.0)
    assert _described(b'{"holder":"me","since":%d}' % since) == f"me, for {minutes} min"


def test_where_it_cannot_be_written_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Lock(tmp_path / "no folder/lock", "me")


def test_a_disk_that_is_full_does_not_take_the_lock_away() -> None:
    with pytest.raises(DeviceTakenError, match=r"^somebody else$"):
        raise DeviceTakenError(_described(b""))


_VALUES = st.none() | st.text() | st.floats()


@given(
    st.binary()
    | st.fixed_dictionaries({"holder": _VALUES, "since": _VALUES}).map(msgspec.json.encode)
)
def test_whatever_the_file_holds_somebody_is_named(content: bytes) -> None:
    assert _described(content)


STRANGER = 1111


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder where everybody may write, as /tmp is."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o1777)
        yield Path(folder)


@pytest.fixture
def stranger(shared: Path) -> Iterator[int]:
    """The process of another user who has the lock in `shared`, and lets nobody read its files.

    A fork: a user need not be able to start this Python.
    """
    if os.getuid():
        pytest.skip("acting as two users takes root")
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgid(STRANGER)
            os.setuid(STRANGER)
            os.umask(0o077)
            lock = MachineLock(shared)
            os.write(write, b"locked")
            signal.pause()
            del lock
        finally:
            os._exit(1)
    os.close(write)
    try:
        assert os.read(read, 10) == b"locked"
        yield child
    finally:
        os.close(read)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_another_user_is_named_and_kept_apart(shared: Path, stranger: int) -> None:
    with pytest.raises(DeviceTakenError, match=rf"of user 1111 \(process {stranger}\)$"):
        MachineLock(shared)
    assert stat.S_IMODE((shared / "shufflenet-deploy.lock").stat().st_mode) == 0o644


def test_a_lock_of_the_machine_holds_within_one_process_too(shared: Path) -> None:
    MachineLock(shared)
    with pytest.raises(DeviceTakenError, match=rf"\(process {os.getpid()}\)$"):
        MachineLock(shared)


def test_a_lock_that_was_removed_meanwhile_is_no_lock(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opened the old one must not believe to hold the new one."""
    real, file = os.open, shared / "shufflenet-deploy.lock"
    opened = []

    def open_(path: Path, *words: int) -> int:
        descriptor = real(path, *words)
        opened.append(descriptor)
        if len(opened) == 1:
            file.unlink()
        return descriptor

    monkeypatch.setattr(os, "open", open_)
    MachineLock(shared)
    monkeypatch.undo()
    with pytest.raises(DeviceTakenError):
        MachineLock(shared)


@pytest.mark.parametrize("trap", ["link", "fifo", "folder", "dangling"])
def test_a_trap_is_not_touched(trap: str, shared: Path) -> None:
    file, precious = shared / "shufflenet-deploy.lock", shared / "precious"
    precious.write_text("precious")
    if trap == "link":
        file.symlink_to(precious)
    elif trap == "dangling":
        file.symlink_to(shared / "new")
    elif trap == "fifo":
        os.mkfifo(file)
    else:
        file.mkdir()
    with pytest.raises(OSError, match=r"shufflenet-deploy\.lock"):
        MachineLock(shared)
    assert precious.read_text() == "precious"
    assert not (shared / "new").exists()


def test_a_file_that_is_another_users_is_only_locked(shared: Path) -> None:
    file = shared / "shufflenet-deploy.lock"
    file.write_text("whatever")
    MachineLock(shared)
    assert file.read_text() == "whatever"


def test_its_folder_is_the_same_for_all_users(tmp_path: Path) -> None:
    own, everybodys = tmp_path / "own", tmp_path / "everybody's"
    own.mkdir()
    assert shared_folder({}, [tmp_path / "none", own]) is None
    everybodys.mkdir()
    everybodys.chmod(0o1777)
    assert shared_folder({}, [own, everybodys]) == everybodys
    assert shared_folder({LOCKS: str(own)}, [everybodys]) == own
    assert shared_folder({LOCKS: ""}, [everybodys]) == everybodys


@pytest.mark.parametrize(
    ("locks", "words"),
    [
        ("1: FLOCK  ADVISORY  WRITE 77 08:01:42 0 EOF", "of user 4000000 (process 77)"),
        ("1: POSIX  ADVISORY  WRITE 77 08:01:42 0 EOF", "on the same machine"),
        ("1: FLOCK  ADVISORY  WRITE 77 08:01:420 0 EOF", "on the same machine"),
        ("1: FLOCK  ADVISORY  WRITE 0 08:01:42 0 EOF", "on the same machine"),
        ("1: FLOCK  ADVISORY  WRITE 78 08:01:42 0 EOF", "on the same machine"),
        ("nonsense", "on the same machine"),
        ("", "on the same machine"),
    ],
)
def test_who_holds_it_by_the_kernels_list(locks: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "proc/77").mkdir(parents=True)
    (tmp_path / "proc/77/status").write_text("Name:\tx\nUid:\t4000000\t1\t1\t1\n")
    (tmp_path / "proc/locks").write_text(locks)
    assert _holder(42, tmp_path).endswith(words)
