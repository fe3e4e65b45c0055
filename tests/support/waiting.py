"""Waiting for other processes, whatever else the machine has to do.

A limit is here to end a hang, and never to tell slow from fast: a loaded machine, or an emulated
one, may take a hundred times as long as an idle one, and is right all the same.
"""

from __future__ import annotations

import fcntl
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

HANG_SECONDS = 900.0
"""After so long nothing is taken for slow any more."""
_POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], object]) -> None:
    """Return once `condition` holds. Fails the test where it never does."""
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {HANG_SECONDS:.0f} s"
        time.sleep(_POLL_SECONDS)


def is_running(process: int) -> bool:
    """Whether the process runs, and is not only still to be waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes(mark: bytes, words: str) -> list[int]:
    """Processes that have `mark` in their environment and `words` in their command (proc(5))."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = mark in (process / "environ").read_bytes()
            if ours and words.encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def unread_bytes(pipe: IO[bytes]) -> int:
    """What has been written to a pipe and not yet been read; either end may ask."""
    count = fcntl.ioctl(pipe.fileno(), termios.FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", count)[0])
