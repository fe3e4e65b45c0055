"""Shares and their intervals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.bench.analysis.shares import wilson_interval

Z = 1.959963984540054
counts = st.integers(1, 100_000).flatmap(
    lambda trials: st.tuples(st.integers(0, trials), st.just(trials))
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, table I: method 3, the score interval.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_against_the_literature(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(counts)
def test_wilson_is_inside_and_around(count: tuple[int, int]) -> None:
    successes, trials = count
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert low < high
    assert (low == 0) == (successes == 0)
    assert (high == 1) == (successes == trials)


@given(counts)
def test_wilson_s_ends_are_z_standard_errors_from_the_share(count: tuple[int, int]) -> None:
    # What defines the interval: the share lies z of the end's own standard errors away.
    successes, trials = count
    for end in wilson_interval(successes, trials):
        if 0 < end < 1:
            error = math.sqrt(end * (1 - end) / trials)
            assert abs(successes / trials - end) == pytest.approx(Z * error, rel=1e-6)


@given(counts)
def test_wilson_is_symmetric(count: tuple[int, int]) -> None:
    successes, trials = count
    low, high = wilson_interval(successes, trials)
    mirrored = wilson_interval(trials - successes, trials)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(st.integers(1, 10_000))
def test_wilson_at_the_ends_is_a_closed_form(trials: int) -> None:
    assert wilson_interval(0, trials) == pytest.approx((0, Z**2 / (trials + Z**2)))
    assert wilson_interval(trials, trials) == pytest.approx((trials / (trials + Z**2), 1))


def test_wilson_of_other_confidences() -> None:
    widths = [
        high - low for low, high in (wilson_interval(7, 10, level) for level in (0.5, 0.9, 0.99))
    ]
    assert widths == sorted(widths)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 3), (4, 3)])
def test_wilson_of_no_share(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="successes in"):
        wilson_interval(successes, trials)
