from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone import BATTERY, THERMAL
from shufflenet_deploy.runtime.phone import (
    PhoneState,
    battery_c,
    battery_ma,
    read_phone,
    thermal_status,
)

ANSWERS = {
    ("dumpsys", "battery"): BATTERY,
    ("dumpsys", "thermalservice"): THERMAL,
    ("cmd", "battery", "get", "current_now"): "-251000\n",
}


def answer(command: Sequence[str]) -> str | None:
    return ANSWERS.get(tuple(command))


def test_a_phone() -> None:
    assert read_phone(answer) == PhoneState(battery_c=31.2, battery_ma=-251.0, thermal_status=0)


def test_a_phone_that_tells_nothing() -> None:
    assert read_phone(lambda command: None) == PhoneState()


@pytest.mark.parametrize("text", ["0\n", "", "Unknown get option: current_now", "1e9", "9" * 12])
def test_what_is_no_current(text: str) -> None:
    assert battery_ma(text) is None


@pytest.mark.parametrize("tenths", [-1000, 9999])
def test_what_no_battery_can_have(tenths: int) -> None:
    assert battery_c(f"  temperature: {tenths}\n") is None


def test_a_status_that_has_no_name() -> None:
    assert thermal_status("Thermal Status: 9\n") is None


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for parse in (battery_c, battery_ma, thermal_status):
        value = parse(text)
        assert value is None or -1e6 < value < 1e6
