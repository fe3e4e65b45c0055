"""One measurement at a time on a device: locks that die with the process that holds them.

A user's own lock tells who holds it and since when. Others on the same machine have their own, so
that there is one of the machine besides, in a folder where everybody may write. Whatever lies
there may be somebody else's trap: it is opened without following links, waiting for writers or
writing to it, and a lock on a file takes no more than that.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from shufflenet_deploy.runtime.errors import ShufflenetDeployError
from shufflenet_deploy.runtime.machine.reading import ROOT, fields, integer, read_text

LOCKS = "SHUFFLENET_DEPLOY_LOCKS"
"""The environment variable that names the folder of the machine's lock; it is made where it is not
there. What shares one measures one after another, such as containers with a folder in common."""
_SHARED = (Path("/run/lock"), Path("/tmp"))
"""Where such locks lie (FHS 3.0, section 5.9), and where everybody may write in any case."""
_NAME = "shufflenet-deploy.lock"
_FOR_EVERYBODY = stat.S_IWOTH | stat.S_ISVTX
_TRIES = 10
_READABLE = 0o644
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The clock that tells how long the lock has been held: it goes on while the device sleeps, and
stays right where its calendar is wrong."""


class DeviceTakenError(ShufflenetDeployError):
    """Somebody else has the lock; its text says who and for how long."""


class Lock:
    """Holds a user's lock in `file` until the process ends, however it ends (flock(2)).

    Raises `DeviceTakenError`, or OSError where the file cannot be written.
    """

    def __init__(self, file: Path, holder: str) -> None:
        # Not truncated on opening: until the lock is ours it tells of its holder.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW  # no link is ours
        self._descriptor = os.open(file, flags, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            content = os.read(self._descriptor, 4096)
            os.close(self._descriptor)
            raise DeviceTakenError(_described(content)) from None
        os.ftruncate(self._descriptor, 0)
        record = {"holder": holder, "since": time.clock_gettime(_CLOCK)}
        with contextlib.suppress(OSError):  # a full disk: locked it is, if by somebody unnamed
            os.pwrite(self._descriptor, msgspec.json.encode(record), 0)

    def release(self) -> None:
        """Let others have it before this process ends."""
        os.close(self._descriptor)


class MachineLock:
    """Holds the lock of the machine in `folder` until the process ends, however it ends.

    Raises `DeviceTakenError`, or OSError where what lies there is no lock or cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / _NAME
        for _ in range(_TRIES):
            try:
                descriptor = _open_shared(file)
            except FileNotFoundError:  # removed after it was there
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_same(descriptor, file):
                    self._descriptor = descriptor
                    return
            except BlockingIOError:
                taken = DeviceTakenError(_holder(os.fstat(descriptor).st_ino))
                os.close(descriptor)
                raise taken from None
            os.close(descriptor)  # somebody has just removed it: the next one has another
        raise OSError(errno.EAGAIN, "it is removed again and again", str(file))


def shared_folder(
    variables: Mapping[str, str] = os.environ, folders: Sequence[Path] = _SHARED
) -> Path | None:
    """The folder of the machine's lock, the same for all its users; None where there is none.

    Not the first that this user may write to: that can be another than the next user's.
    """
    if named := variables.get(LOCKS):
        return Path(named)
    for folder in folders:
        with contextlib.suppress(OSError):
            if folder.is_dir() and folder.stat().st_mode & _FOR_EVERYBODY == _FOR_EVERYBODY:
                return folder
    return None


def _open_shared(file: Path) -> int:
    """A descriptor for reading, which is enough for a lock: nothing is ever written there."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(file, flags | os.O_CREAT | os.O_EXCL, _READABLE)
        os.fchmod(descriptor, _READABLE)  # whatever the umask: others have to open it
    except FileExistsError:
        descriptor = os.open(file, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
    return descriptor


def _is_same(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.lstat())
    except FileNotFoundError:
        return False


def _holder(inode: int, root: Path = ROOT) -> str:
    """Who has a lock on the file of that inode, by what the kernel tells of it (proc_locks(5))."""
    for line in (read_text(root / "proc/locks") or "").splitlines():
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
            process = integer(words[4])
            numbers = " ".join(fields(root / f"proc/{process}/status", "Uid")).split()
            if process and numbers:
                return f"another measurement, of {_user(numbers[0])} (process {process})"
    return "another measurement on the same machine"


def _user(number: str) -> str:
    try:
        import pwd  # not everywhere

        return f"the user {pwd.getpwuid(int(number)).pw_name}"
    except (ImportError, KeyError, ValueError, OverflowError):
        return f"user {number}"


def _described(content: bytes) -> str:
    try:
        record: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
        minutes = (time.clock_gettime(_CLOCK) - float(record["since"])) / 60
        return f"{record['holder']}, for {max(minutes, 0):.0f} min"
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, RecursionError):
        return "somebody else"  # who has not yet written who it is
