from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from shufflenet_deploy.runtime.machine import canary as module
from shufflenet_deploy.runtime.machine.canary import REPETITIONS, canary


def test_each_repetition_is_timed_by_itself() -> None:
    times: Iterator[int] = iter([0, 10, 100, 130, 1000, 1005])
    assert canary(lambda: next(times), 3) == (10, 30, 5)


def test_it_works_as_often_as_is_said_and_once_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """And as much: what takes 10 ms at 2 GHz, four arithmetic operations at once."""
    worked = list[int]()
    now = 0

    def clock() -> int:
        return now

    def work(values: module.Floats, rounds: int) -> None:
        nonlocal now
        now += 7
        worked.append(values.size * rounds * 2)  # a multiplication and an addition

    monkeypatch.setattr(module, "_work", work)
    assert canary(clock) == (7,) * REPETITIONS
    assert len(set(worked)) == 1
    assert len(worked) == REPETITIONS + 1
    assert 1e7 < worked[0] < 1e8


def test_the_values_stay_normal_numbers() -> None:
    values = module._aligned(module._SIZE)
    values.fill(1.0)
    module._work(values, 3000)
    assert np.all(values == 2.0)


def test_a_pulse_is_two_halves_after_a_shorter_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0

    def work(values: object, rounds: int) -> None:
        nonlocal now
        now += rounds

    monkeypatch.setattr(module, "_work", work)
    once = module.pulse(lambda: now)
    assert (once(), once()) == (300, 300)
    assert now == 2 * (30 + 2 * 150)


@pytest.mark.parametrize("halves", [(7, 10), (10, 7)])
def test_an_interrupt_in_one_half_of_a_pulse_does_not_show(
    halves: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0
    durations = iter((3, *halves))

    def work(values: object, rounds: int) -> None:
        nonlocal now
        now += next(durations)

    monkeypatch.setattr(module, "_work", work)
    assert module.pulse(lambda: now)() == 14


@pytest.mark.parametrize("size", [16, 17, 4096])
def test_arrays_begin_with_a_cache_line(size: int) -> None:
    arrays = [module._aligned(size) for _ in range(20)]
    assert all(array.shape == (size,) and array.ctypes.data % 64 == 0 for array in arrays)


def test_the_real_work_takes_time_each_time() -> None:
    start = time.perf_counter_ns()
    times = canary(time.perf_counter_ns)
    assert len(times) == REPETITIONS
    assert all(elapsed > 0 for elapsed in times)
    assert sum(times) < time.perf_counter_ns() - start  # the first repetition is not timed
