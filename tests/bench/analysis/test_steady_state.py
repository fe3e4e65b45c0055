"""What a sustained load settles at, on courses whose answer is known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_machine import FakeMachine
from shufflenet_deploy.bench.analysis.steady_state import steady_state
from shufflenet_deploy.runtime.worker.spec import Window

MS = 1_000_000


def course(medians_ms: list[float]) -> list[Window]:
    state = FakeMachine().state()
    return [
        Window(
            seconds=float(second), runs=10, median_ns=int(ms * MS), p90_ns=int(ms * MS),
            minimum_ns=1, maximum_ns=10**12, state=state,
        )
        for second, ms in enumerate(medians_ms)
    ]  # fmt: skip


def test_one_that_never_changes_is_steady_from_the_beginning() -> None:
    steady = steady_state(course([5.0] * 60))
    assert steady
    assert (steady.latency_ns, steady.first_ns, steady.drift) == (5 * MS, 5 * MS, 0)
    assert steady.reached_seconds == 0


@pytest.mark.parametrize("change", [10, 100, 190])
def test_one_that_is_throttled_is_steady_from_there(change: int) -> None:
    steady = steady_state(course([5.0] * change + [8.0] * (300 - change)))
    assert steady
    assert steady.latency_ns / steady.first_ns == pytest.approx(1.6)
    assert steady.reached_seconds == change


def test_one_that_still_grows_has_not_reached_it() -> None:
    steady = steady_state(course([5.0 + second / 50 for second in range(300)]))
    assert steady
    assert steady.drift > 0.03
    assert steady.reached_seconds is None


@given(st.integers(0, 10**6), st.integers(20, 400))
def test_stray_windows_do_not_hide_it(seed: int, count: int) -> None:
    chance = random.Random(seed)
    medians = [6.0 * chance.uniform(0.99, 1.01) for _ in range(count)]
    for place in chance.sample(range(count // 2), count // 20):
        medians[place] *= 3
    steady = steady_state(course(medians))
    assert steady
    assert steady.latency_ns == pytest.approx(6 * MS, rel=0.01)
    assert steady.reached_seconds is not None


@pytest.mark.parametrize("count", [0, 1, 8])
def test_of_a_moment_nothing_is_said(count: int) -> None:
    assert steady_state(course([5.0] * count)) is None
