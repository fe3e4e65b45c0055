"""By how much a network becomes faster as it is cut: the paper's "every 4-fold" (section 4.5)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable

Point = tuple[float, float]
"""One network's multiply-adds and its latency, in any units."""


def log_log_slope(points: Iterable[Point]) -> float:
    """Slope of log latency on log multiply-adds, by least squares.

    1 where time is proportional to multiply-adds, less where small networks waste more of it.
    Raises ValueError where there are not two different multiply-adds.
    """
    logs = [(math.log(multiply_adds), math.log(latency)) for multiply_adds, latency in points]
    multiply_adds, latencies = zip(*logs, strict=True) if logs else ((), ())
    if len(set(multiply_adds)) < 2:
        raise ValueError("a slope needs two networks of different multiply-adds")
    return statistics.linear_regression(multiply_adds, latencies).slope


def speedup_per_fourfold(points: Iterable[Point]) -> float:
    """How many times faster a network becomes when its multiply-adds are cut to a quarter."""
    return float(4 ** log_log_slope(points))
