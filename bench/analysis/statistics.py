"""What is computed from latencies: pure functions, in no unit but that of their arguments.

Intervals are over processes. Rounds within a process share where its memory lies and the mood of
the machine, so that many of them make an estimate steady and its interval a lie.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

from shufflenet_deploy.runtime.worker.spec import Burst

Series = Mapping[int, float]
"""One model's figures in one process: round -> figure."""

BOOTSTRAP_MIN = 10
"""The fewest values that are resampled. Simulated, a percentile bootstrap over 3, 5 and 8 covers
76, 84 and 90% for 95%."""
_RESAMPLES = 1999
_SCALE = 1.4826
"""A median absolute deviation times this is the standard deviation of normal values."""
_OUTLIER_DEVIATIONS = 10.0
_OUTLIER_SHARE = 0.01


@dataclass(frozen=True)
class Interval:
    """A positive figure and where it may lie; `low` and `high` are None where nothing tells."""

    value: float
    low: float | None
    high: float | None


def burst_medians(bursts: Iterable[Burst]) -> dict[int, float]:
    """Round -> median of that round's timed runs, in nanoseconds."""
    return {burst.round: median(burst.samples_ns) for burst in bursts}


def quantile(values: Sequence[float], share: float) -> float:
    """What `share` (0 to 1) of `values` lie below, linear between neighbours as numpy has it.

    `values` must not be empty.
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def median_absolute_deviation(values: Sequence[float]) -> float:
    """The median distance from the median; `values` must not be empty.

    Unlike the standard deviation it does not grow with the size of a few outliers. For normally
    distributed values it is 0.6745 standard deviations; it is not scaled to be one here.
    """
    centre = median(values)
    return median(abs(value - centre) for value in values)


def outliers(values: Sequence[float]) -> int:
    """How many of `values`, of one process, lie far from their median.

    Far is what hyperfine calls so (src/outlier_detection.rs of github.com/sharkdp/hyperfine): ten
    standard deviations, as the median absolute deviation estimates them. And at least 1% of the
    median, since that deviation is 0 where a coarse clock gives most runs the same time.
    """
    if not values:
        return 0
    centre = median(values)
    deviation = _SCALE * median_absolute_deviation(values)
    far = max(_OUTLIER_DEVIATIONS * deviation, _OUTLIER_SHARE * abs(centre))
    return sum(abs(value - centre) > far for value in values)


def shared_rounds(series: Sequence[Series]) -> set[int]:
    """The rounds that all of `series` have; there must be at least one series."""
    return set.intersection(*(set(figures) for figures in series))


def over_rounds(statistic: Callable[[Sequence[float]], float], series: Sequence[Series]) -> float:
    """The median over the rounds that all of `series` have of `statistic` of each round.

    Models that took turns in a round saw the same machine, whatever it did in the next.
    Raises ValueError where they share no round.
    """
    shared = shared_rounds(series)
    if not shared:
        raise ValueError("the series share no round")
    return median(statistic([figures[number] for figures in series]) for number in shared)


def per_process(
    statistic: Callable[[Sequence[float]], float], processes: Iterable[Sequence[Series]]
) -> list[float]:
    """For each process the median over its shared rounds of the log of a positive `statistic`.

    `processes` have one series of each model, in the order in which `statistic` takes the times.
    Logs, since what disturbs a time multiplies it: a ratio and its reciprocal are then as certain.
    """
    return [over_rounds(lambda times: math.log(statistic(times)), series) for series in processes]


def paired_ratio(numerator: Series, denominator: Series) -> float:
    """The median over shared rounds of `numerator` by `denominator`; see `over_rounds`."""
    return over_rounds(lambda pair: pair[0] / pair[1], (numerator, denominator))


@cache
def t_quantile(probability: float, degrees: float) -> float:
    """The quantile of Student's t distribution, for any degrees of freedom above 0.

    `probability` is between 0 and 1. From 1 to 1000 degrees it is right to 1e-9 of its value.
    """
    if not (0 < probability < 1 and degrees > 0):
        raise ValueError(f"t has no quantile {probability} at {degrees} degrees of freedom")
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    # P(|T| < t) = I_x(1/2, degrees/2), x = t^2 / (degrees + t^2): Abramowitz & Stegun 26.5.27.
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if _incomplete_beta(middle, 0.5, degrees / 2) < 2 * probability - 1:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees * low / (1 - low))


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b), by its series of positive terms: Abramowitz & Stegun 26.5.4."""
    if x > 0.5:  # where the series is slow the other tail's is fast
        return 1 - _incomplete_beta(1 - x, b, a)
    if x == 0:
        return 0.0
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    log_first = a * math.log(x) + b * math.log1p(-x) - log_beta - math.log(a)
    if log_first < -700:  # too small for a number: x is far out in one tail or the other
        return float(x > a / (a + b))
    term = math.exp(log_first)
    total, number = 0.0, 0
    while total + term != total:
        total += term
        term *= x * (a + b + number) / (a + 1 + number)
        number += 1
    return total


def t_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean of `values`, and the two ends of Student's interval for it.

    Right for few values, if they are about normal. Raises ValueError for fewer than two.
    """
    if len(values) < 2:
        raise ValueError(f"{len(values)} value has no spread: an interval needs two")
    mean, error = _mean_and_error(values)
    half = t_quantile((1 + confidence) / 2, len(values) - 1) * error
    return mean, mean - half, mean + half


def bootstrap_interval(
    values: Sequence[float], seed: int, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Mean of `values`, and the two ends of the studentised bootstrap's interval for it.

    For values of unknown, lopsided distribution. Simulated (3000 trials, 95%) for 10, 15 and 20
    values: it covers 94.9, 94.4 and 94.9% of normal ones (`t_interval` 94.7, 94.8, 94.8; BCa
    90.1, 91.0, 92.9), and 93.4, 93.1 and 94.3% of log-normal ones of sigma 0.7 (90.5, 90.5, 91.8;
    87.6, 88.6, 90.9), with an interval that is 7% and 44% wider than Student's at 10 values.
    Raises ValueError for fewer than `BOOTSTRAP_MIN` values.
    """
    if len(values) < BOOTSTRAP_MIN:
        raise ValueError(
            f"a bootstrap of {len(values)} values covers far less than it claims: it needs "
            f"{BOOTSTRAP_MIN}, t_interval does with two"
        )
    mean, error = _mean_and_error(values)
    generator = random.Random(seed)
    resamples = (
        _mean_and_error(generator.choices(values, k=len(values))) for _ in range(_RESAMPLES)
    )
    # A resample of one value over and over has no error, and tells nothing.
    studentised = [(its_mean - mean) / its_error for its_mean, its_error in resamples if its_error]
    if not studentised:
        return mean, mean, mean
    tail = (1 - confidence) / 2
    # Where resamples lie above the values, the values lie above the truth: the ends change places.
    low = mean - quantile(studentised, 1 - tail) * error
    return mean, low, mean - quantile(studentised, tail) * error


def log_interval(logs: Sequence[float], confidence: float = 0.95) -> Interval:
    """The figure whose log each process gave one of, with Student's interval over them.

    The centre is the geometric mean: it is what the interval is around, so that it lies inside,
    and where a process is far off the interval says so. Without a second process there is no
    interval. Raises ValueError without any.

    Simulated (20 000 trials, 1% between processes, 0.5% within), 95% covers 94.7 to 95.6 for 3 to
    10 processes, with 5% of the runs slower by 10% and more as well; and not less than 93.0 where
    the width decides, after 5 to 10 processes, whether there is another.
    """
    if not logs:
        raise ValueError("no process gave a figure")
    if len(logs) == 1:
        return Interval(math.exp(logs[0]), None, None)
    return Interval(*map(math.exp, t_interval(logs, confidence)))


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    mean = statistics.fmean(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(squares / (len(values) - 1) / len(values))
