"""Whether a process stands still: it neither says anything nor computes.

One that was stopped (SIGSTOP), threads that wait for each other or a driver that never answers do
not end by themselves. A time limit alone cannot tell them from a large network on a small board;
the processor time that a process has used can, where the system tells it (proc_pid_stat(5)).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from shufflenet_deploy.runtime.machine.reading import ROOT, integer, read_text

IDLE_SECONDS = 30.0
"""How long a process may neither say anything nor compute: a card that hangs takes some seconds."""
SILENT_SECONDS = 3600.0
"""How long one may say nothing and compute, or where nobody knows whether it does: a round of many
large networks, emulated, takes minutes."""
_LONGEST_LOOK_SECONDS = 5.0
"""How much of the time between two looks counts. Whoever looks may have been stopped itself, and
the process with it: by Ctrl-Z, a container's pause or a board that sleeps."""
_USER_TIME, _SYSTEM_TIME = 11, 12
"""Where they are behind the process's name, which may hold anything."""


def processor_seconds(process: int, root: Path = ROOT) -> float | None:
    """The seconds of processor time that all threads of `process` have used; None if unknown."""
    words = (read_text(root / f"proc/{process}/stat") or "").rpartition(")")[2].split()
    if len(words) <= _SYSTEM_TIME:
        return None
    user, system = integer(words[_USER_TIME]), integer(words[_SYSTEM_TIME])
    if user is None or system is None:
        return None
    return (user + system) / os.sysconf("SC_CLK_TCK")


class Standstill:
    """Watches a process; ask it every few seconds.

    `idle_seconds` are added to those that it may stand still: what it sleeps because it was told
    to. `clock` counts seconds, `used` those of the processor that a process has used so far, None
    where that is not known.
    """

    def __init__(
        self,
        process: int,
        idle_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[int], float | None] = processor_seconds,
    ) -> None:
        self._process = process
        self._max_idle = IDLE_SECONDS + idle_seconds
        self._max_silent = SILENT_SECONDS + idle_seconds
        self._clock = clock
        self._used = used
        self._last_used = self._used(process)
        # Some systems say 0 of whatever process; this one has used some to come here.
        self._is_told = bool(used(os.getpid()))
        self._looked = clock()
        self._idle = self._silent = 0.0

    def heard(self) -> None:
        """It has said something."""
        self._idle = self._silent = 0.0

    def reason(self) -> str | None:
        """Why it is to be ended now, in words that go on after its name; None while it goes on."""
        now = self._clock()
        passed = min(now - self._looked, _LONGEST_LOOK_SECONDS)
        self._looked = now
        self._silent += passed
        used = self._used(self._process)
        if used is None or not self._is_told or used != self._last_used:
            self._last_used, self._idle = used, 0.0
        else:
            self._idle += passed
        if self._idle > self._max_idle:
            return f"stood still: for {self._idle:.0f} s it neither computed nor said anything"
        if self._silent > self._max_silent:
            return f"came to no end: for {self._silent / 60:.0f} min it said nothing"
        return None
