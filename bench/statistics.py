"""What is computed from latencies: pure functions, in no unit but that of their arguments."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from shufflenet_deploy.runtime.spec import Burst

Series = Mapping[int, float]
"""Round -> one model's figure in that round."""
Point = tuple[float, float]
"""Multiply-adds and latency of one network."""


def burst_medians(bursts: Iterable[Burst]) -> dict[int, float]:
    """Round -> median of that round's timed runs, in nanoseconds."""
    return {burst.round: median(burst.samples_ns) for burst in bursts}


def median_absolute_deviation(values: Sequence[float]) -> float:
    """The median distance from the median; `values` must not be empty.

    Unlike the standard deviation it does not grow with the size of a few outliers. For normally
    distributed values it is 0.6745 standard deviations; it is not scaled to be one here.
    """
    centre = median(values)
    return median(abs(value - centre) for value in values)


def over_rounds(statistic: Callable[[Sequence[float]], float], series: Sequence[Series]) -> float:
    """The median over the rounds that all of `series` have of `statistic` of each round.

    Models that took turns in a round saw the same machine, whatever it did in the next.
    Raises ValueError where they share no round.
    """
    shared = set.intersection(*(set(one) for one in series))
    if not shared:
        raise ValueError("the series share no round")
    return median(statistic([one[number] for one in series]) for number in shared)


def paired_ratio(numerator: Series, denominator: Series) -> float:
    """The median over shared rounds of `numerator` by `denominator`; see `over_rounds`."""
    return over_rounds(lambda pair: pair[0] / pair[1], (numerator, denominator))


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
