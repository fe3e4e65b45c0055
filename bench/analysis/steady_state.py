"""What a sustained load settles at, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from shufflenet_deploy.runtime.worker.spec import Window

_NEAR = 0.05
"""How far from the steady latency a window may be, as a share of it, to be called steady."""
_DRIFT = 0.03
"""How much the halves of the last third may differ for it to be steady at all."""
_MIN_WINDOWS = 9
"""Of fewer nothing is said."""
_STRAY = 0.1
"""The share of windows that may be far off, for what else the machine did."""


@dataclass(frozen=True)
class SteadyState:
    """The latency of the last third of a load."""

    latency_ns: float
    """The median of its windows' medians, in nanoseconds."""
    first_ns: float
    """The same of the first windows, a twentieth of all and at least three."""
    drift: float
    """By which share the last sixth differs from the one before it; above 0 it still grows."""
    reached_seconds: float | None
    """From when on nine of ten windows are within 5% of `latency_ns`, in seconds since the load
    began; None where the last third still drifts."""


def steady_state(windows: Sequence[Window]) -> SteadyState | None:
    """The steady state of a load; None of one with fewer than nine windows."""
    if len(windows) < _MIN_WINDOWS:
        return None
    medians = [window.median_ns for window in windows]
    last = medians[-(len(medians) // 3) :]
    steady = median(last)
    half = len(last) // 2
    drift = median(last[-half:]) / median(last[:half]) - 1
    first = medians[: max(3, len(medians) // 20)]
    reached = None if abs(drift) > _DRIFT else windows[_settled(medians, steady)].seconds
    return SteadyState(steady, median(first), drift, reached)


def _settled(medians: Sequence[int], steady: float) -> int:
    """The first place from which on all but a few of `medians` are near `steady`."""
    far = 0
    settled = len(medians) - 1
    for place in range(len(medians) - 1, -1, -1):
        is_far = abs(medians[place] / steady - 1) > _NEAR
        far += is_far
        if far > _STRAY * (len(medians) - place):
            break
        if not is_far:
            settled = place
    return settled
