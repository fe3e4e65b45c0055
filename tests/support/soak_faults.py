"""What goes wrong with a measurement in the field, one `Fault` for each kind."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from small_disk import fill
from soaked import Soaked
from ssh_pi import AGENT, WORKER, cut, running
from waiting import wait_until

Act = Callable[[Soaked, random.Random], None]

_SSH = "ssh_config"
_HANGS = (10.0, math.inf)
"""Seconds: one that is to be waited for, and one that lasts until the command gives up."""
_LINK_HANGS = (10.0, 90.0)
"""Of a link, longer than its own limits: while it copies a part there is none besides ssh's own."""
_LOOKING_SECONDS = 600  # on a loaded machine
_DAY = 24 * 3600
_CLOCKS = (0, 3600, -3600, _DAY, -2 * _DAY, 40 * _DAY, 400 * _DAY, -400 * _DAY)
"""Seconds from the right time: as without a battery, after a summer, or set by hand."""


def _nothing(soaked: Soaked, dice: random.Random) -> None:
    pass


@dataclass(frozen=True)
class Fault:
    """Something goes wrong, and is right again after a while."""

    name: str
    begin: Act
    end: Act = _nothing
    stays: bool = False
    """Whether what follows happens meanwhile: the command need not notice by itself."""


def _kill_first(soaked: Soaked, find: Callable[[], list[int]], number: int, seconds: float) -> None:
    """Send a signal to the first process that `find` finds, unless the command ends before.

    With `seconds` it goes on after them.
    """
    wait_until(lambda: soaked.has_ended() or find())
    for process in find()[:1]:
        with suppress(ProcessLookupError):
            os.kill(process, number)
            end = time.monotonic() + seconds
            wait_until(lambda: soaked.has_ended() or time.monotonic() > end)  # noqa: B023
            if seconds:
                os.kill(process, signal.SIGCONT)


def _on_device(words: str, *numbers: int, hangs: tuple[float, ...] = (0.0,)) -> Act:
    def strike(soaked: Soaked, dice: random.Random) -> None:
        number, seconds = dice.choice(numbers), dice.choice(hangs)
        _kill_first(soaked, lambda: running(soaked.board, words), number, seconds)

    return strike


def _on_host(words: str, *numbers: int, hangs: tuple[float, ...] = (0.0,)) -> Act:
    def strike(soaked: Soaked, dice: random.Random) -> None:
        number, seconds = dice.choice(numbers), dice.choice(hangs)
        _kill_first(soaked, lambda: soaked.on_host(words), number, seconds)

    return strike


def _cut(soaked: Soaked, dice: random.Random) -> None:
    wait_until(lambda: soaked.has_ended() or running(soaked.board, AGENT))
    with suppress(ValueError, OSError):  # it has ended meanwhile
        cut(soaked.board)


def _end(*numbers: int) -> Act:
    def strike(soaked: Soaked, dice: random.Random) -> None:
        soaked.signal(dice.choice(numbers))

    return strike


def _switch_off(soaked: Soaked, dice: random.Random) -> None:
    soaked.pi.off()


def _switch_on(soaked: Soaked, dice: random.Random) -> None:
    soaked.pi.on()


def _fill_device(soaked: Soaked, dice: random.Random) -> None:
    fill(soaked.device_disk / "full")


def _fill_host(soaked: Soaked, dice: random.Random) -> None:
    fill(soaked.host_disk / "full")


def _empty_device(soaked: Soaked, dice: random.Random) -> None:
    (soaked.device_disk / "full").unlink()


def _empty_host(soaked: Soaked, dice: random.Random) -> None:
    (soaked.host_disk / "full").unlink(missing_ok=True)


def _move_device_clock(soaked: Soaked, dice: random.Random) -> None:
    offset = dice.choice(_CLOCKS)
    soaked.device_clock.move(offset)
    _require_moved(int(soaked.board.ssh("date", "+%s").stdout.split()[-1]), offset)


def _move_host_clock(soaked: Soaked, dice: random.Random) -> None:
    offset = dice.choice(_CLOCKS)
    soaked.host_clock.move(offset)
    environment = {**os.environ, **soaked.command.variables}
    told = subprocess.run(["date", "+%s"], env=environment, capture_output=True, check=True)
    _require_moved(int(told.stdout), offset)


def _require_moved(told: int, offset: int) -> None:
    assert abs(told - (time.time() + offset)) < _LOOKING_SECONDS


FAULTS = (
    Fault("the link is cut at the device", _cut),
    Fault("the link is cut at the host", _on_host(_SSH, signal.SIGKILL)),
    Fault("the link hangs", _on_host(_SSH, signal.SIGSTOP, hangs=_LINK_HANGS)),
    Fault("the agent is killed", _on_device(AGENT, signal.SIGKILL, signal.SIGTERM)),
    Fault("the agent stands still", _on_device(AGENT, signal.SIGSTOP, hangs=_HANGS)),
    Fault("a worker is killed", _on_device(WORKER, signal.SIGKILL, signal.SIGSEGV)),
    Fault("a worker stands still", _on_device(WORKER, signal.SIGSTOP, hangs=_HANGS)),
    Fault("the device is switched off", _switch_off, _switch_on),
    Fault("the device's disk is full", _fill_device, _empty_device, stays=True),
    Fault("the host's disk is full", _fill_host, _empty_host),
    Fault("the device's clock moves", _move_device_clock, stays=True),
    Fault("the host's clock moves", _move_host_clock, stays=True),
    Fault("the host interrupts", _end(signal.SIGINT)),
    Fault("the host is ended", _end(signal.SIGTERM, signal.SIGHUP)),
    Fault("the host is killed", _end(signal.SIGKILL)),
)
