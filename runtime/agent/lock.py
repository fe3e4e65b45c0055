"""One measurement at a time on a device: a lock that dies with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Any

import msgspec

from shufflenet_deploy.runtime.errors import ShufflenetDeployError

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The clock that tells how long the lock has been held: it goes on while the device sleeps, and
stays right where its calendar is wrong."""


class DeviceTakenError(ShufflenetDeployError):
    """Somebody else has the lock; its text says who and for how long."""


class Lock:
    """Holds the lock in `file` until the process ends, however it ends (flock(2)).

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


def _described(content: bytes) -> str:
    try:
        record: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
        minutes = (time.clock_gettime(_CLOCK) - float(record["since"])) / 60
        return f"{record['holder']}, for {max(minutes, 0):.0f} min"
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, RecursionError):
        return "somebody else"  # who has not yet written who it is
