"""Cooling down, with a sleep that only moves a fake clock."""

from __future__ import annotations

import itertools

import pytest

from fake_machine import FakeMachine
from shufflenet_deploy.runtime.worker.cool_down import cool_down
from shufflenet_deploy.runtime.worker.spec import CoolDown, Progress


def _cool_down(machine: FakeMachine, seconds: float = 180.0) -> list[str]:
    wanted = CoolDown(temperature_c=50.0, canary_ns=200, seconds=seconds)
    cool_down(wanted, machine.instruments())
    return [what for what in machine.done if what.startswith("sleep")]


def test_it_sleeps_until_the_hottest_zone_is_cool_enough() -> None:
    machine = FakeMachine()
    machine.temperatures = iter([60.0, 55.0, 50.5, 50.0, 70.0])
    assert _cool_down(machine) == ["sleep 1"] * 3
    assert "canary" not in machine.done
    assert machine.reports == [
        Progress(stage="cool down", done=done, total=180) for done in range(4)
    ]


def test_what_is_cool_already_does_not_sleep() -> None:
    machine = FakeMachine()
    machine.temperatures = iter([49.0])
    assert _cool_down(machine) == []


def test_without_a_sensor_it_sleeps_until_the_canary_is_fast_enough() -> None:
    machine = FakeMachine()
    machine.canaries = iter([(300, 310, 900), (150, 201, 202), (200, 200, 900)])
    assert _cool_down(machine) == ["sleep 1"] * 2


def test_without_a_wanted_temperature_it_goes_by_the_canary() -> None:
    machine = FakeMachine()
    machine.temperatures = itertools.repeat(90.0)
    cool_down(CoolDown(temperature_c=None, canary_ns=100), machine.instruments())
    assert machine.done == ["canary"]


@pytest.mark.parametrize("temperature_c", [None, 50.0])
def test_with_nothing_to_go_by_it_does_not_sleep(temperature_c: float | None) -> None:
    machine = FakeMachine()
    cool_down(CoolDown(temperature_c=temperature_c, canary_ns=None), machine.instruments())
    assert not [what for what in machine.done if what.startswith("sleep")]


@pytest.mark.parametrize(
    ("seconds", "sleeps"),
    [(0, []), (0.5, ["sleep 0.5"]), (2.25, ["sleep 1", "sleep 1", "sleep 0.25"])],
)
def test_it_does_not_sleep_longer_than_was_asked(seconds: float, sleeps: list[str]) -> None:
    machine = FakeMachine()
    machine.temperatures = itertools.repeat(90.0)
    assert _cool_down(machine, seconds) == sleeps
    assert machine.now == 1000 + round(seconds * 1e9)
