from __future__ import annotations

from itertools import chain, repeat

from fake_machine import FakeMachine
from shufflenet_deploy.runtime.full_speed import Waiting
from shufflenet_deploy.runtime.rounds import rounds
from shufflenet_deploy.runtime.spec import Burst, FullSpeed, Spec

FAST, SLOW = 100, 200
FIRST = 20
"""Pulses before any is waited for."""


def waited(machine: FakeMachine) -> int:
    return sum(one.startswith("sleep") for one in machine.done)


def measured(machine: FakeMachine, spec: Spec) -> list[Burst]:
    runs = machine.models(1)
    return [burst for _, burst in rounds(runs, spec, machine.instruments(), lambda: None)]


def test_a_fast_core_is_not_waited_for() -> None:
    machine = FakeMachine()
    machine.pulses = repeat(FAST)
    assert Waiting(FullSpeed(pulse_ns=None), machine.instruments()).pulse_at_full_speed() == FAST
    assert waited(machine) == 0


def test_a_slow_core_is_waited_for_until_it_is_fast() -> None:
    machine = FakeMachine()
    machine.pulses = chain(repeat(FAST, FIRST), repeat(SLOW, 4), repeat(FAST))
    waiting = Waiting(FullSpeed(pulse_ns=None), machine.instruments())
    assert waiting.pulse_at_full_speed() == FAST
    assert waited(machine) == 4
    assert waiting.waited_ns == 4 * 20_000_000


def test_patience_is_for_all_bursts_together() -> None:
    machine = FakeMachine()
    machine.pulses = chain(repeat(FAST, FIRST), repeat(SLOW))
    waiting = Waiting(FullSpeed(pulse_ns=None, seconds=0.1), machine.instruments())
    assert waiting.pulse_at_full_speed() == SLOW
    assert waited(machine) == 5
    assert waiting.pulse_at_full_speed() == SLOW
    assert waited(machine) == 5


def test_what_earlier_processes_saw_counts() -> None:
    machine = FakeMachine()
    machine.pulses = chain(repeat(SLOW, FIRST + 3), repeat(FAST))
    waiting = Waiting(FullSpeed(pulse_ns=FAST), machine.instruments())
    assert waiting.pulse_at_full_speed() == FAST


def test_without_a_wish_nothing_is_waited_for() -> None:
    machine = FakeMachine()
    machine.pulses = chain(repeat(FAST, FIRST), repeat(SLOW))
    waiting = Waiting(None, machine.instruments())
    for _ in range(FIRST):
        waiting.pulse()
    assert waiting.pulse_at_full_speed() == SLOW
    assert waited(machine) == 0


def test_rounds_are_not_charged_with_waiting() -> None:
    spec = Spec(
        rounds=5, seconds=1.0, full_speed=FullSpeed(pulse_ns=None, seconds=100.0), untimed=1
    )
    machine = FakeMachine()
    slow_at_first = chain.from_iterable(
        (*repeat(SLOW, 49), FAST, FAST)  # nearly a second before each burst
        for _ in range(5)
    )
    machine.pulses = chain(repeat(FAST, FIRST), slow_at_first)
    bursts = measured(machine, spec)
    assert len(bursts) == 5
    assert {burst.pulses_ns for burst in bursts} == {(FAST, FAST)}


def test_without_a_canary_there_are_no_pulses() -> None:
    machine = FakeMachine()
    machine.pulses = repeat(SLOW)
    spec = Spec(rounds=2, canary=False, full_speed=FullSpeed(pulse_ns=FAST))
    assert {burst.pulses_ns for burst in measured(machine, spec)} == {()}
