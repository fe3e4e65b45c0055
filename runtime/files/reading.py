"""Files that somebody names are read only where they are regular.

A pipe keeps whoever opens it waiting for a writer, a terminal for somebody who types, and devices
have no end. Each is an OSError here, whose words go where those of a missing file do.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY")
)
"""Not to wait, and not to take a terminal; Windows has others, and needs O_BINARY."""
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def irregular(path: Path) -> str | None:
    """What is at `path` where it is neither a regular file nor a folder, nor nothing."""
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode))
    except (OSError, ValueError):
        return None


def opened(path: Path) -> BufferedReader:
    """The regular file at `path`, opened for reading. Raises OSError, also for anything else."""
    # Before it is opened, which some devices take for an order, and again for what it is by then.
    _require_regular(path, path.stat().st_mode)
    descriptor = os.open(path, _FLAGS)
    try:
        _require_regular(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path) -> bytes:
    """All of the regular file at `path`. Raises OSError as `opened` does."""
    with opened(path) as file:
        return file.read()


def _require_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind} and not a file", str(path))
