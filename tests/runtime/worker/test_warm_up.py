"""Warm-ups on a fake clock: times that stay, fall, scatter, and such as last too long."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.worker.spec import WarmUp
from shufflenet_deploy.runtime.worker.warm_up import FALLING, WINDOW, WarmedUp, warm_up

_MS = 10**6


def _warm_up(time_ms: Callable[[int], float], **wanted: float) -> WarmedUp:
    """Warm up a model whose run n takes `time_ms(n)`."""
    now, runs = 0, 0

    def run() -> None:
        nonlocal now, runs
        now += round(time_ms(runs) * _MS)
        runs += 1

    return warm_up(run, lambda: now, WarmUp(**wanted))  # type: ignore[arg-type]


def test_times_that_stay_are_stable_after_the_least_runs() -> None:
    assert _warm_up(lambda n: 2.0) == WarmedUp(times_ns=(2 * _MS,) * 12, stable=True)


def test_every_time_is_kept_in_its_order() -> None:
    warmed_up = _warm_up(lambda n: 2.0 + (n == 0), minimum=10)
    assert warmed_up.times_ns == (3 * _MS, *(2 * _MS,) * 9)


@pytest.mark.parametrize(("minimum", "runs"), [(0, 10), (3, 10), (10, 10), (11, 11), (25, 25)])
def test_there_are_the_least_runs_and_as_many_as_are_compared(minimum: int, runs: int) -> None:
    assert len(_warm_up(lambda n: 1.0, minimum=minimum).times_ns) == runs


@given(
    settled_ms=st.floats(0.1, 20),
    excess=st.floats(0.05, 5),
    kept=st.floats(0.1, 0.88),
)
def test_of_a_geometric_fall_little_is_left(settled_ms: float, excess: float, kept: float) -> None:
    """Each run keeps `kept` of what the one before took too long."""
    warmed_up = _warm_up(lambda n: settled_ms * (1 + excess * kept**n))
    assert warmed_up.stable
    assert warmed_up.times_ns[-1] < 1.015 * settled_ms * _MS
    assert warmed_up.times_ns[-1] <= warmed_up.times_ns[0]


def test_a_long_fall_is_followed_to_its_end() -> None:
    """As of a frequency that goes up step by step."""
    warmed_up = _warm_up(lambda n: max(1.0, 3.0 - 0.05 * n))
    assert warmed_up.stable
    assert 40 < len(warmed_up.times_ns) < 55
    assert warmed_up.times_ns[-1] == _MS


def test_times_that_never_stop_falling_end_at_the_most_runs_and_are_not_stable() -> None:
    warmed_up = _warm_up(lambda n: 0.99**n, maximum=40)
    assert len(warmed_up.times_ns) == 40
    assert not warmed_up.stable


def test_times_that_grow_are_stable() -> None:
    """A processor that becomes hot is warm."""
    warmed_up = _warm_up(lambda n: 1.0 + 0.1 * n)
    assert (len(warmed_up.times_ns), warmed_up.stable) == (12, True)


def test_single_times_that_are_disturbed_change_nothing() -> None:
    quiet = _warm_up(lambda n: 1.0 + 0.7**n)
    disturbed = _warm_up(lambda n: (1.0 + 0.7**n) * (8 if n % 5 == 3 else 1))
    assert disturbed.stable
    assert abs(len(disturbed.times_ns) - len(quiet.times_ns)) <= 5


@given(seed=st.integers(0, 10**6), deviation=st.floats(0.001, 0.15))
def test_noise_alone_ends_soon(seed: int, deviation: float) -> None:
    noise = random.Random(seed)
    warmed_up = _warm_up(lambda n: 1.0 + abs(noise.gauss(0, deviation)))
    assert warmed_up.stable
    assert len(warmed_up.times_ns) <= 40


@pytest.mark.parametrize(
    ("time_ms", "runs"),
    [(50, 12), (100, 10), (200, 5), (500, 2), (999, 2), (1000, 2), (60_000, 2)],
)
def test_a_slow_model_ends_when_the_time_is_over_but_after_two_runs(
    time_ms: float, runs: int
) -> None:
    warmed_up = _warm_up(lambda n: time_ms)
    assert len(warmed_up.times_ns) == runs
    assert warmed_up.stable == (runs == 12)


@pytest.mark.parametrize("maximum", [0, 1, 5, 9])
def test_fewer_runs_than_are_compared_are_never_stable(maximum: int) -> None:
    assert _warm_up(lambda n: 1.0, maximum=maximum) == WarmedUp((_MS,) * maximum, stable=False)


@given(
    times=st.lists(st.floats(0.01, 500), min_size=1, max_size=80),
    minimum=st.integers(0, 40),
    maximum=st.integers(0, 80),
    seconds=st.floats(0, 10),
)
def test_whatever_the_times_the_limits_hold(
    times: list[float], minimum: int, maximum: int, seconds: float
) -> None:
    warmed_up = _warm_up(
        lambda n: times[n % len(times)], minimum=minimum, maximum=maximum, seconds=seconds
    )
    taken = warmed_up.times_ns
    assert len(taken) <= maximum
    assert len(taken) >= min(maximum, 2)
    assert len(taken) <= 2 or sum(taken[:-1]) < seconds * 1e9
    if warmed_up.stable:
        assert len(taken) >= max(minimum, 2 * WINDOW)
        before, last = taken[-2 * WINDOW : -WINDOW], taken[-WINDOW:]
        assert median(last) >= FALLING * median(before)
    elif len(taken) < maximum:
        assert sum(taken) >= seconds * 1e9
