"""All by which the worker touches the machine, so that tests can drive it without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shufflenet_deploy.runtime.machine.clocks import ClockNs
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.worker.spec import Progress

Run = Callable[[], object]
"""One inference."""


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """What the worker measures with."""

    clock: ClockNs
    sleep: Callable[[float], None]
    """Seconds."""
    environment: Callable[[], Environment]
    state: Callable[[], State]
    canary: Callable[[], tuple[int, ...]]
    """Nanoseconds of each repetition of a fixed kernel."""
    pulse: Callable[[], int]
    """Nanoseconds of a piece of that kernel."""
    change_core: Callable[[], None]
    """Go on on another core, where this process may use several."""
    peak: Callable[[], float]
    """Multiply-adds per second of the processor, with the threads that it was told to use."""
    report: Callable[[Progress], None]


def timed(run: Run, clock: ClockNs) -> int:
    """Nanoseconds of one run."""
    start = clock()
    run()
    return clock() - start
