"""Rounds of bursts on a fake clock."""

from __future__ import annotations

import gc
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_machine import FakeMachine
from shufflenet_deploy.runtime.worker.instruments import Run
from shufflenet_deploy.runtime.worker.rounds import rounds
from shufflenet_deploy.runtime.worker.spec import Burst, Progress, Spec


@pytest.fixture(autouse=True, scope="module")
def quick_collections() -> Iterator[None]:
    """The rounds collect garbage first: torch's many objects would make each example slow."""
    gc.freeze()
    yield
    gc.unfreeze()


def _measure(
    machine: FakeMachine,
    models: int | list[Run],
    between: Callable[[], None] = lambda: None,
    **spec: Any,
) -> list[tuple[int, Burst]]:
    runs = machine.models(models) if isinstance(models, int) else models
    return list(rounds(runs, _spec(**spec), machine.instruments(), between))


def _spec(**settings: Any) -> Spec:
    return Spec(**settings)


def test_a_burst_is_untimed_runs_and_then_timed_ones() -> None:
    machine = FakeMachine()
    first, second = _measure(machine, 1, rounds=2, untimed=5, timed=3)
    assert first == (
        0,
        Burst(round=0, position=0, cold_ns=1, samples_ns=(6, 7, 8), pulses_ns=(10, 10)),
    )
    assert second == (
        0,
        Burst(round=1, position=0, cold_ns=9, samples_ns=(14, 15, 16), pulses_ns=(10, 10)),
    )
    assert len(machine.ran) == 16


def test_a_pulse_stands_before_and_after_the_timed_runs() -> None:
    machine = FakeMachine()
    machine.pulses = iter(range(8))
    bursts = [burst for _, burst in _measure(machine, 2, rounds=2)]
    assert [burst.pulses_ns for burst in bursts] == [(0, 1), (2, 3), (4, 5), (6, 7)]


def test_without_untimed_runs_there_is_no_cold_one() -> None:
    ((_, burst),) = _measure(FakeMachine(), 1, rounds=1, untimed=0, timed=2, canary=False)
    assert burst == Burst(round=0, position=0, cold_ns=None, samples_ns=(1, 2))


@given(
    models=st.integers(1, 5),
    number=st.integers(0, 6),
    untimed=st.integers(0, 4),
    timed=st.integers(1, 4),
    seed=st.integers(),
)
def test_every_model_has_one_whole_burst_in_every_round(
    models: int, number: int, untimed: int, timed: int, seed: int
) -> None:
    machine = FakeMachine()
    measured = _measure(machine, models, rounds=number, untimed=untimed, timed=timed, seed=seed)
    each = untimed + timed
    turns = [model for model, _ in measured]
    assert machine.ran == [model for model in turns for _ in range(each)]
    assert [(b.round, b.position) for _, b in measured] == list(
        itertools.product(range(number), range(models))
    )
    for start in range(0, len(turns), models):
        assert sorted(turns[start : start + models]) == list(range(models))
    for turn, (_, burst) in enumerate(measured):
        assert burst.cold_ns == (turn * each + 1 if untimed else None)
        assert burst.samples_ns == tuple(range(turn * each + untimed + 1, (turn + 1) * each + 1))


def test_the_order_is_shuffled_in_every_round_and_the_seed_decides() -> None:
    def order(seed: int) -> list[int]:
        return [model for model, _ in _measure(FakeMachine(), 4, rounds=48, seed=seed)]

    turns = order(0)
    assert order(0) == turns
    assert order(1) != turns
    assert len({tuple(turns[i : i + 4]) for i in range(0, len(turns), 4)}) > 12  # of 24
    for position in range(4):  # nobody always comes first, or after the same one
        assert min(Counter(turns[position::4]).values()) >= 4


def test_rounds_report_their_number() -> None:
    machine = FakeMachine()
    _measure(machine, 2, rounds=3)
    assert machine.reports == [Progress(stage="round", done=done, total=3) for done in range(4)]


def test_what_lies_between_rounds_is_done_before_each_and_never_inside_one() -> None:
    machine = FakeMachine()
    seen: list[int] = []
    _measure(machine, 2, lambda: seen.append(len(machine.ran)), rounds=3, untimed=1, timed=1)
    assert seen == [0, 4, 8]


def test_every_burst_comes_after_a_rest_that_is_in_no_time() -> None:
    machine = FakeMachine()
    measured = _measure(machine, 2, rounds=2, untimed=1, timed=1, rest_seconds=0.25)
    assert machine.done == ["sleep 0.25"] * 4
    assert [burst.cold_ns for _, burst in measured] == [1, 3, 5, 7]


def test_without_a_rest_nothing_sleeps() -> None:
    machine = FakeMachine()
    _measure(machine, 2, rounds=2)
    assert machine.done == []


_SECOND = 10**9


def _slow(machine: FakeMachine, seconds: list[float]) -> list[Run]:
    """One model; run n takes `seconds[n]`, and the last of them from then on."""
    left = iter(seconds)

    def run() -> None:
        machine.ran.append(0)
        machine.now += round(next(left, seconds[-1]) * _SECOND)

    return [run]


@pytest.mark.parametrize(
    ("seconds", "settings", "number"),
    [
        ([1.0], {"seconds": 5}, 5),
        ([1.0], {"seconds": 4.5}, 4),
        ([1.0], {"seconds": 1e6}, 9),
        ([1.0], {"seconds": 0}, 2),
        ([1.0], {"seconds": 0, "min_rounds": 3}, 3),
        ([1.0], {"seconds": 5, "min_rounds": 7}, 7),
        ([1.0], {"seconds": 5, "min_rounds": 20}, 9),
        ([1.0], {"seconds": 0.5, "min_rounds": 0}, 1),
        ([2.0, 1.0], {"seconds": 5}, 3),  # after 4 s, one as long as the longest ends at 6
        ([1.0, 3.0, 1.0], {"seconds": 8}, 4),
    ],
)
def test_no_round_begins_that_would_end_too_late(
    seconds: list[float], settings: dict[str, Any], number: int
) -> None:
    machine = FakeMachine()
    measured = _measure(machine, _slow(machine, seconds), rounds=9, untimed=0, timed=1, **settings)
    assert len(measured) == number
    assert machine.reports[-1] == Progress(stage="round", done=number, total=9)


def test_time_between_rounds_counts() -> None:
    machine = FakeMachine()

    def between() -> None:
        machine.now += _SECOND

    measured = _measure(
        machine, _slow(machine, [1.0]), between, rounds=9, untimed=0, timed=1, seconds=6
    )
    assert len(measured) == 3


@given(
    seconds=st.lists(st.floats(0.001, 10), min_size=1, max_size=20),
    limit=st.floats(0, 60),
    minimum=st.integers(0, 5),
)
def test_a_limit_holds_where_no_round_is_longer_than_those_before(
    seconds: list[float], limit: float, minimum: int
) -> None:
    machine = FakeMachine()
    falling = sorted(seconds, reverse=True)
    measured = _measure(
        machine,
        _slow(machine, falling),
        rounds=20,
        untimed=0,
        timed=1,
        seconds=limit,
        min_rounds=minimum,
    )
    took = (machine.now - 1000) / _SECOND
    assert len(measured) >= max(minimum, 1)
    assert len(measured) <= max(minimum, 1) or took <= limit + 1e-6
    assert len(measured) == 20 or took + falling[0] > limit - 1e-6


def test_the_garbage_collector_rests_and_is_then_as_it_was(collecting: bool) -> None:
    seen: list[bool] = []
    _measure(FakeMachine(), [lambda: seen.append(gc.isenabled())], rounds=1)
    assert seen == [False] * 8
    assert gc.isenabled() == collecting


def test_a_failing_run_leaves_the_garbage_collector_as_it_was(collecting: bool) -> None:
    def fail() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        _measure(FakeMachine(), [fail], rounds=1)
    assert gc.isenabled() == collecting


def test_rounds_that_are_given_up_leave_the_garbage_collector_as_it_was(collecting: bool) -> None:
    machine = FakeMachine()
    for _ in rounds(machine.models(2), _spec(rounds=9), machine.instruments(), lambda: None):
        break
    assert gc.isenabled() == collecting
