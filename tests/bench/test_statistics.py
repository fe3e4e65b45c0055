from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.bench.statistics import (
    burst_medians,
    log_log_slope,
    median_absolute_deviation,
    over_rounds,
    paired_ratio,
    speedup_per_fourfold,
)
from shufflenet_deploy.runtime.spec import Burst

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
    if max(logs) - min(logs) < 1e-3:  # too near for a slope in floating point
        return
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
