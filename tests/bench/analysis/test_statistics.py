from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from shufflenet_deploy.bench.analysis.statistics import (
    Series,
    bootstrap_interval,
    burst_medians,
    log_interval,
    median_absolute_deviation,
    outliers,
    over_rounds,
    paired_ratio,
    per_process,
    quantile,
    t_interval,
    t_quantile,
)
from shufflenet_deploy.bench.paper.speedup import log_log_slope, speedup_per_fourfold
from shufflenet_deploy.runtime.worker.spec import Burst

times = st.floats(1e-3, 1e9)
series = st.dictionaries(st.integers(0, 30), times, min_size=1)
factors = st.floats(1e-3, 1e3)


def burst(number: int, *samples: int) -> Burst:
    return Burst(round=number, position=0, cold_ns=999, samples_ns=samples)


def test_burst_medians_are_of_the_timed_runs_only() -> None:
    assert burst_medians([burst(0, 3, 1, 2), burst(4, 10, 20)]) == {0: 2, 4: 15}
    assert burst_medians([]) == {}


def test_median_absolute_deviation_of_a_known_sample() -> None:
    # Median 2; distances 1 1 0 0 2 4 7, their median 1.
    assert median_absolute_deviation([1, 1, 2, 2, 4, 6, 9]) == 1


@given(st.lists(times, min_size=1), factors)
def test_median_absolute_deviation_ignores_shift_and_follows_scale(
    values: list[float], factor: float
) -> None:
    deviation = median_absolute_deviation(values)
    shifted = median_absolute_deviation([value + factor for value in values])
    scaled = median_absolute_deviation([value * factor for value in values])
    assert shifted == pytest.approx(deviation, abs=1e-6)
    assert scaled == pytest.approx(factor * deviation)


@given(st.lists(times, min_size=5), st.integers(0))
def test_one_outlier_of_five_is_no_more_than_one_of_five(values: list[float], where: int) -> None:
    spread = max(values) - min(values)
    values[where % len(values)] = 1e12
    assert median_absolute_deviation(values) <= spread


@given(series, factors)
def test_the_ratio_of_a_scaled_series_is_the_scale(one: dict[int, float], factor: float) -> None:
    other = {number: factor * value for number, value in one.items()}
    assert paired_ratio(other, one) == pytest.approx(factor)


@given(series, factors, st.data())
def test_a_drift_that_both_models_see_leaves_their_ratio(
    one: dict[int, float], factor: float, data: st.DataObject
) -> None:
    drift = {number: data.draw(factors) for number in one}
    slow = {number: drift[number] * value for number, value in one.items()}
    fast = {number: drift[number] * value / factor for number, value in one.items()}
    assert paired_ratio(slow, fast) == pytest.approx(factor)


def test_only_rounds_that_both_have_are_paired() -> None:
    # Of an interrupted block: the second model did not get to round 2.
    assert paired_ratio({0: 10.0, 1: 30.0, 2: 999.0}, {0: 10.0, 1: 10.0}) == 2


def test_models_that_share_no_round_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="share no round"):
        paired_ratio({0: 1.0}, {1: 1.0})


@given(series, st.permutations(range(3)))
def test_over_rounds_keeps_the_order_of_its_series(one: dict[int, float], order: list[int]) -> None:
    many = [{number: value + place for number, value in one.items()} for place in order]
    assert over_rounds(lambda values: float(values.index(min(values))), many) == order.index(0)


multiply_adds = st.lists(st.integers(10**6, 10**10), min_size=2, max_size=6, unique=True)


@given(multiply_adds, st.floats(0.1, 2), factors)
def test_the_slope_of_an_exact_power_law_is_its_exponent(
    sizes: list[int], exponent: float, factor: float
) -> None:
    logs = [math.log(size) for size in sizes]
    assume(max(logs) - min(logs) > 1e-3)  # nearer ones have no slope in floating point
    points = [(float(size), factor * size**exponent) for size in sizes]
    assert log_log_slope(points) == pytest.approx(exponent, rel=1e-6)
    assert speedup_per_fourfold(points) == pytest.approx(4**exponent, rel=1e-6)


@given(factors, factors)
def test_the_slope_knows_no_units_and_no_order(time_unit: float, work_unit: float) -> None:
    points = [(38.0, 15.2), (140.0, 37.8), (524.0, 108.8)]
    other = [(work_unit * work, time_unit * time) for work, time in reversed(points)]
    assert speedup_per_fourfold(other) == pytest.approx(speedup_per_fourfold(points))


def test_two_points_give_the_slope_between_them() -> None:
    assert speedup_per_fourfold([(1.0, 7.0), (4.0, 18.2)]) == pytest.approx(2.6)
    assert speedup_per_fourfold([(1.0, 7.0), (16.0, 7.0 * 2.6**2)]) == pytest.approx(2.6)


@pytest.mark.parametrize("points", [[], [(1.0, 2.0)], [(1.0, 2.0), (1.0, 3.0)]])
def test_one_amount_of_work_has_no_slope(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="different multiply-adds"):
        log_log_slope(points)


@given(st.lists(times, min_size=1), st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: list[float], share: float) -> None:
    assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)))


def test_outliers_are_counted_on_both_sides() -> None:
    # Median 100, median absolute deviation 1: far is beyond 14.826.
    assert outliers([99, 99, 100, 100, 101, 101, 114, 115, 85, 86]) == 2
    assert outliers([]) == 0


@pytest.mark.parametrize("other", [99.5, 100.9])
def test_a_coarse_clock_makes_no_outliers(other: float) -> None:
    assert outliers([100.0] * 9 + [other]) == 0
    assert outliers([100.0] * 9 + [other, 102.0]) == 1


@pytest.mark.parametrize("degrees", [1, 1.5, 2, 2.7, 3, 4, 7, 9, 10, 30.3, 100, 1000])
@pytest.mark.parametrize("probability", [0.001, 0.025, 0.3, 0.5, 0.6, 0.9, 0.975, 0.995, 0.9999])
def test_t_quantiles_are_those_of_scipy(probability: float, degrees: float) -> None:
    expected = float(stats.t.ppf(probability, degrees))
    assert t_quantile(probability, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_t_quantiles_end_as_those_of_a_normal_distribution() -> None:
    assert t_quantile(0.975, 1e6) == pytest.approx(1.959964, abs=1e-5)


@pytest.mark.parametrize(("probability", "degrees"), [(0, 1), (1, 1), (0.5, 0), (math.nan, 1)])
def test_what_has_no_t_quantile_is_refused(probability: float, degrees: float) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        t_quantile(probability, degrees)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20), st.sampled_from([0.5, 0.95, 0.99]))
def test_the_t_interval_is_that_of_scipy(values: list[float], confidence: float) -> None:
    assume(max(values) - min(values) > 1e-6)
    expected = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    mean, low, high = t_interval(values, confidence)
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-6)
    assert mean == pytest.approx((low + high) / 2, abs=1e-9)


def test_one_value_has_no_interval() -> None:
    with pytest.raises(ValueError, match="needs two"):
        t_interval([1.0])
    with pytest.raises(ValueError, match="no process"):
        log_interval([])
    one = log_interval([math.log(13)])
    assert one.value == pytest.approx(13)
    assert one.low is one.high is None


def test_the_bootstrap_agrees_with_student_where_both_are_right() -> None:
    values = [random.Random(1).gauss(5, 1) for _ in range(40)]
    assert bootstrap_interval(values, seed=0) == pytest.approx(t_interval(values), abs=0.05)
    assert bootstrap_interval(values, seed=0) == bootstrap_interval(values, seed=0)


def test_the_bootstrap_follows_a_lopsided_sample() -> None:
    mean, low, high = bootstrap_interval([1.0, 1, 1, 1, 1, 2, 2, 3, 4, 9], seed=0)
    assert high - mean > 1.5 * (mean - low)  # what is rare and large was perhaps missed


def test_the_bootstrap_refuses_too_few_values() -> None:
    with pytest.raises(ValueError, match="covers far less"):
        bootstrap_interval([1.0] * 9, seed=0)
    assert bootstrap_interval([1.0] * 10, seed=0) == (1, 1, 1)


def ratio(times: Sequence[float]) -> float:
    """Times of the first model / the second."""
    first, second = times
    return first / second


process = st.lists(st.tuples(times, times), min_size=1, max_size=8).map(
    lambda rounds: tuple(dict(enumerate(series)) for series in zip(*rounds, strict=True))
)
processes = st.lists(process, min_size=2, max_size=5)
Processes = list[tuple[Series, ...]]


def ends(measured: Processes) -> list[float | None]:
    found = log_interval(per_process(ratio, measured))
    return [found.value, found.low, found.high]


@given(processes, factors, st.randoms())
def test_what_must_not_change_a_ratio_does_not(
    measured: Processes, factor: float, chance: random.Random
) -> None:
    expected = pytest.approx(ends(measured), rel=1e-6)
    faster = [tuple(scaled(series, factor) for series in one) for one in measured]
    assert ends(faster) == expected
    shuffled = [tuple(reordered(one, chance)) for one in measured]
    chance.shuffle(shuffled)
    assert ends(shuffled) == expected
    drifting = [drifted(one, chance) for one in measured]
    assert ends(drifting) == expected


@given(processes)
def test_a_ratio_and_its_reciprocal_are_as_certain(measured: Processes) -> None:
    value, low, high = ends(measured)
    swapped = ends([(second, first) for first, second in measured])
    assert low is not None
    assert high is not None
    assert value is not None
    assume(high / low < 1e100)
    assert swapped == pytest.approx([1 / value, 1 / high, 1 / low], rel=1e-6)


def scaled(series: Series, factor: float) -> Series:
    return {number: factor * time for number, time in series.items()}


def reordered(one: tuple[Series, ...], chance: random.Random) -> list[Series]:
    """The rounds in another order, the same one for each model."""
    order = list(one[0])
    chance.shuffle(order)
    return [{number: series[before] for number, before in enumerate(order)} for series in one]


def drifted(one: tuple[Series, ...], chance: random.Random) -> tuple[Series, ...]:
    """Each round by a factor of its own, the same one for each model."""
    drift = {number: chance.uniform(0.1, 10) for number in one[0]}
    return tuple({number: drift[number] * series[number] for number in drift} for series in one)


def test_constants_have_a_ratio_without_doubt() -> None:
    measured: Processes = [({0: 26.0, 1: 39.0}, {0: 2.0, 1: 3.0})] * 3
    assert ends(measured) == pytest.approx([13, 13, 13])


def test_a_power_law_has_a_speedup_without_doubt() -> None:
    work = (38.0, 140.0, 524.0)
    measured = [[{0: 7 * count**0.7} for count in work]] * 4
    found = log_interval(
        per_process(lambda time: speedup_per_fourfold(zip(work, time, strict=True)), measured)
    )
    assert (found.value, found.low, found.high) == pytest.approx((4**0.7,) * 3)


TRIALS = 4000
LOG_WORK = np.log([38.0, 140.0, 524.0])
SLOPE = (LOG_WORK - LOG_WORK.mean()) / ((LOG_WORK - LOG_WORK.mean()) ** 2).sum()
WEIGHTS = {"ratio": np.array([1.0, -1.0]), "speedup": math.log(4) * SLOPE}
"""What makes a statistic's log of the models' log times."""


def log_times(count: int, rounds: int, models: int, spiky: bool) -> NDArray[np.float64]:
    """Log of burst medians: trials x processes x rounds x models, the true ones being 0.

    A process moves each model by 1%, a run by 0.5%; each round moves all models alike by 20%. Of
    spiky ones 5% of the runs are slower besides, by 10% in the median and at times by far more.
    """
    chance = np.random.default_rng(count * rounds + spiky)
    shape = (TRIALS, count, rounds, models)
    runs = 0.005 * chance.standard_normal((*shape, 3), dtype=np.float32)
    if spiky:
        hit = np.flatnonzero(chance.random(runs.shape, dtype=np.float32) < 0.05)
        runs.flat[hit] += 0.1 * np.exp(chance.standard_normal(len(hit), dtype=np.float32))
    middle = np.maximum(  # of three
        np.minimum(runs[..., 0], runs[..., 1]),
        np.minimum(np.maximum(runs[..., 0], runs[..., 1]), runs[..., 2]),
    )
    between = 0.01 * chance.standard_normal((TRIALS, count, 1, models))
    drift = 0.2 * chance.standard_normal((TRIALS, count, rounds, 1))
    logs: NDArray[np.float64] = middle + between + drift
    return logs


@pytest.mark.parametrize(("count", "rounds"), [(3, 20), (5, 10), (8, 5), (10, 10)])
@pytest.mark.parametrize("statistic", list(WEIGHTS))
@pytest.mark.parametrize("spiky", [False, True])
def test_the_interval_covers_the_truth_as_often_as_it_says(
    count: int, rounds: int, statistic: str, spiky: bool
) -> None:
    weights = WEIGHTS[statistic]
    logs = np.median(log_times(count, rounds, len(weights), spiky) @ weights, axis=2)
    covered = 0
    for trial in logs.tolist():
        found = log_interval(trial)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 1 <= found.high
    assert 0.93 <= covered / TRIALS <= 0.97


def test_the_simulation_is_of_what_is_computed() -> None:
    measured = np.exp(log_times(3, 5, 3, spiky=True)[0])
    series = [[dict(enumerate(one.tolist())) for one in each.T] for each in measured]
    work = np.exp(LOG_WORK)
    logs = per_process(lambda time: speedup_per_fourfold(zip(work, time, strict=True)), series)
    simulated = np.median(np.log(measured) @ WEIGHTS["speedup"], axis=1)
    assert logs == pytest.approx(simulated.tolist(), rel=1e-6)
