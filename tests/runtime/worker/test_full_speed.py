from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, repeat
from typing import Any

import pytest

from fake_machine import FakeMachine
from shufflenet_deploy.runtime.worker.full_speed import Waiting
from shufflenet_deploy.runtime.worker.rounds import rounds
from shufflenet_deploy.runtime.worker.spec import Burst, FullSpeed, Spec

FAST, SLOW = 100, 200
FIRST = 40
"""Pulses before any is waited for."""
IN_A_ROW = 20
"""Fast ones that end a wait."""
LOOKED = 1
"""Changes of the core among the first pulses."""
STEP_NS = 5_000_000
"""From one pulse to the next."""


@pytest.fixture
def machine() -> FakeMachine:
    machine = FakeMachine()
    machine.pulse_ns = STEP_NS
    return machine


def measured(machine: FakeMachine, spec: Spec) -> list[Burst]:
    runs = machine.models(1)
    return [burst for _, burst in rounds(runs, spec, machine.instruments(), lambda: None)]


def waited(machine: FakeMachine, pulses: Iterable[int], **wanted: Any) -> int:
    """How many pulses long the wait was, after the first ones were fast."""
    machine.pulses = chain(repeat(FAST, FIRST), pulses)
    waiting = Waiting(FullSpeed(**{"pulse_ns": None, **wanted}), machine.instruments())
    waiting.wait()
    return waiting.waited_ns // STEP_NS


def test_a_fast_core_is_not_waited_for_longer_than_it_takes_to_see(machine: FakeMachine) -> None:
    assert waited(machine, repeat(FAST)) == IN_A_ROW


def test_a_slow_core_is_waited_for_until_it_is_fast(machine: FakeMachine) -> None:
    assert waited(machine, chain(repeat(SLOW, 4), repeat(FAST))) == 4 + IN_A_ROW


def test_a_core_must_stay_fast(machine: FakeMachine) -> None:
    pulses = chain(repeat(SLOW, 4), repeat(FAST, IN_A_ROW - 1), [SLOW], repeat(FAST))
    assert waited(machine, pulses) == 4 + IN_A_ROW + IN_A_ROW


def test_the_wait_is_busy_since_a_core_that_slept_is_slow(machine: FakeMachine) -> None:
    waited(machine, chain(repeat(SLOW, 50), repeat(FAST)))
    assert not any(one.startswith("sleep") for one in machine.done)


def test_a_core_that_stays_slow_is_left_for_another(machine: FakeMachine) -> None:
    waited(machine, chain(repeat(SLOW, 20), repeat(FAST)))
    assert machine.done.count("change core") - LOOKED == 4  # in 100 ms, after each 20 and more


def test_both_cores_are_looked_at_before_one_is_called_slow(machine: FakeMachine) -> None:
    machine.pulses = chain(repeat(SLOW, FIRST // 2), repeat(FAST, FIRST // 2), [SLOW], repeat(FAST))
    waiting = Waiting(FullSpeed(pulse_ns=None), machine.instruments())
    waiting.wait()
    assert waiting.waited_ns == (1 + IN_A_ROW) * STEP_NS


def test_slow_pulses_of_a_long_wait_do_not_become_the_measure(machine: FakeMachine) -> None:
    pulses = chain(repeat(SLOW, 10 * FIRST), repeat(FAST))
    assert waited(machine, pulses, seconds=100.0) == 10 * FIRST + IN_A_ROW


def test_patience_is_for_all_bursts_together(machine: FakeMachine) -> None:
    machine.pulses = chain(repeat(FAST, FIRST), repeat(SLOW))
    waiting = Waiting(FullSpeed(pulse_ns=None, seconds=0.1), machine.instruments())
    for _ in range(3):
        waiting.wait()
        assert waiting.waited_ns == 100_000_000


def test_what_earlier_processes_saw_counts(machine: FakeMachine) -> None:
    machine.pulses = chain(repeat(SLOW, FIRST + 3), repeat(FAST))
    waiting = Waiting(FullSpeed(pulse_ns=FAST), machine.instruments())
    waiting.wait()
    assert waiting.waited_ns == (3 + IN_A_ROW) * STEP_NS


def test_without_a_wish_nothing_is_waited_for(machine: FakeMachine) -> None:
    machine.pulses = chain(repeat(FAST, FIRST), repeat(SLOW))
    waiting = Waiting(None, machine.instruments())
    for _ in range(FIRST):
        waiting.pulse()
    waiting.wait()
    assert waiting.waited_ns == 0


def test_rounds_are_not_charged_with_waiting(machine: FakeMachine) -> None:
    spec = Spec(
        rounds=5, seconds=1.0, full_speed=FullSpeed(pulse_ns=None, seconds=100.0), untimed=1
    )
    slow_at_first = chain.from_iterable(
        # Nearly a second of waiting before each burst, then the two pulses beside it.
        (*repeat(SLOW, 190), *repeat(FAST, IN_A_ROW), *repeat(FAST, 2))
        for _ in range(5)
    )
    machine.pulses = chain(repeat(FAST, FIRST), slow_at_first)
    bursts = measured(machine, spec)
    assert len(bursts) == 5
    assert {burst.pulses_ns for burst in bursts} == {(FAST, FAST)}


def test_without_a_canary_there_are_no_pulses(machine: FakeMachine) -> None:
    machine.pulses = repeat(SLOW)
    spec = Spec(rounds=2, canary=False, full_speed=FullSpeed(pulse_ns=FAST))
    assert {burst.pulses_ns for burst in measured(machine, spec)} == {()}
