from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone import BATTERY, THERMAL
from shufflenet_deploy.runtime.machine import phone as phone_module
from shufflenet_deploy.runtime.machine.phone import (
    PhoneState,
    battery_c,
    battery_ma,
    find_phone,
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


def test_a_service_that_hangs_is_not_asked_again_and_the_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dumpsys = tmp_path / "dumpsys"
    dumpsys.write_text(
        f"#!/bin/sh\necho $1 >>'{tmp_path}/asked'\n[ $1 = battery ] || exec /bin/sleep 3600\n"
        "echo '  temperature: 312'\n"
    )
    dumpsys.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    ask = find_phone()
    assert ask
    assert read_phone(lambda command: None if "thermalservice" in command else ask(command)) == (
        PhoneState(battery_c=31.2)
    )
    monkeypatch.setattr(phone_module, "_SECONDS", 0.1)
    assert [ask(("dumpsys", "thermalservice")) for _ in range(2)] == [None, None]
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask(("dumpsys", "battery")) == "  temperature: 312\n"
    asked = (tmp_path / "asked").read_text() if (tmp_path / "asked").exists() else ""
    assert asked.count("battery") == 2
    assert asked.count("thermalservice") <= 1


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
