"""Run a model until its time no longer falls."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from shufflenet_deploy.runtime.machine.clocks import ClockNs
from shufflenet_deploy.runtime.worker.instruments import Run, timed
from shufflenet_deploy.runtime.worker.spec import WarmUp

WINDOW = 5
"""How many runs have their median compared with that of as many before them."""
FALLING = 0.99
"""The share of the median before from which on a median counts as not fallen.

Of ShuffleNet 0.5x and AlexNet on both engines, on a machine with busy neighbours, this ended
warm-ups after 12 to 21 runs. Where times fall geometrically, 0.98 stops at twice the excess
(with a tenth of it lost at each run: 2% is left instead of 1%).
"""
MIN_RUNS = 2
"""The fewest runs, however slow they are: the first tells nothing of the next."""


@dataclass(frozen=True)
class WarmedUp:
    """How a warm-up went."""

    times_ns: tuple[int, ...]
    """The time of every run in ns, in their order."""
    stable: bool
    """Whether the warm-up ended because the time had stopped falling."""


def warm_up(run: Run, clock: ClockNs, limits: WarmUp) -> WarmedUp:
    """Run until the times are stable, or there were `maximum` of them, or `seconds` are over."""
    times: list[int] = []
    began = clock()
    while len(times) < limits.maximum:
        times.append(timed(run, clock))
        if len(times) >= limits.minimum and no_longer_falls(times):
            return WarmedUp(tuple(times), stable=True)
        if len(times) >= MIN_RUNS and clock() - began >= limits.seconds * 1e9:
            break
    return WarmedUp(tuple(times), stable=False)


def no_longer_falls(times: list[int]) -> bool:
    """Whether the last `WINDOW` of `times` are about as long as those before, in the median.

    Medians, since one run that was disturbed tells nothing of the others. False for fewer times
    than there are to compare.
    """
    if len(times) < 2 * WINDOW:
        return False
    before, last = times[-2 * WINDOW : -WINDOW], times[-WINDOW:]
    return median(last) >= FALLING * median(before)
