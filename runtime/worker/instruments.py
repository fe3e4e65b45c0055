"""All by which the worker touches the machine, so that tests can drive it without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shufflenet_deploy.runtime.machine.clocks import ClockNs
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.worker.spec import Progress

Run = Callable[[], object]
"""Makes one inference."""


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """What the worker measures with."""

    clock: ClockNs
    sleep: Callable[[float], None]
    """Sleeps for as many seconds."""
    environment: Callable[[], Environment]
    state: Callable[[], State]
    canary: Callable[[], tuple[int, ...]]
    """Runs the canary, a fixed kernel; the nanoseconds of each repetition."""
    pulse: Callable[[], int]
    """Runs a piece of the canary; its nanoseconds."""
    change_core: Callable[[], None]
    """Goes on on another core, where this process may use several."""
    peak: Callable[[], float]
    """Measures the processor's multiply-adds per second, with the threads that it is given."""
    report: Callable[[Progress], None]


def timed(run: Run, clock: ClockNs) -> int:
    """Nanoseconds of one run."""
    start = clock()
    run()
    return clock() - start
