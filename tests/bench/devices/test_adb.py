from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.bench.devices.adb import (
    AdbLink,
    Listed,
    choose,
    find_adb,
    parse_devices,
    phone_name,
)
from shufflenet_deploy.bench.devices.agent_client import DeviceLostError
from shufflenet_deploy.bench.devices.board import Board
from shufflenet_deploy.runtime.errors import BenchError

ANY = Board(name="android", title="a phone", kind="adb")
READY = Listed("A1", "device")


def test_devices_are_read() -> None:
    said = (
        "* daemon not running; starting now at tcp:5037\n"
        "* daemon started successfully\n"
        "List of devices attached\n"
        "A1\tdevice\n"
        "emulator-5554\toffline\n"
        "B2\tno permissions (missing udev rules?); see [http://developer.android.com/]\n"
        "\n"
    )
    assert parse_devices(said) == [
        READY,
        Listed("emulator-5554", "offline"),
        Listed("B2", "no permissions (missing udev rules?); see [http://developer.android.com/]"),
    ]


@given(st.text())
def test_any_list_is_read(text: str) -> None:
    for one in parse_devices(text):
        assert one.serial
        assert one.state


def test_the_only_one_is_taken() -> None:
    assert choose(ANY, [READY, Listed("B2", "offline")], None) == "A1"


def test_the_board_says_which() -> None:
    board = Board(name="mine", title="a phone", kind="adb", host="B2")
    assert choose(board, [READY, Listed("B2", "device")], "A1") == "B2"


def test_the_variable_says_which() -> None:
    assert choose(ANY, [READY, Listed("B2", "device")], "B2") == "B2"


@pytest.mark.parametrize(
    ("listed", "named", "message", "remedy"),
    [
        ([], None, "no device is attached", "USB debugging"),
        ([READY], "X", "X is not attached", "adb sees: A1"),
        ([READY, Listed("B2", "device")], None, "several devices", "ANDROID_SERIAL"),
        ([Listed("A1", "unauthorized")], None, "A1 is not authorised", "unlock it"),
        ([Listed("A1", "offline")], None, "A1 is offline", "adb reconnect"),
        ([Listed("A1", "no permissions (x)")], None, "A1 is not accessible", "udev"),
        ([Listed("A1", "recovery")], None, "'recovery'", "start its system"),
    ],
)
def test_what_is_in_the_way(
    listed: list[Listed], named: str | None, message: str, remedy: str
) -> None:
    with pytest.raises(BenchError) as caught:
        choose(ANY, listed, named)
    assert message in str(caught.value)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_of_adb_are_told_from_those_of_a_script() -> None:
    link = AdbLink("adb", "A1")
    assert link.failure(1, "tar: no space left on device") is None
    assert isinstance(link.failure(1, "error: device 'A1' not found"), DeviceLostError)
    assert isinstance(link.failure(255, "error: closed"), DeviceLostError)
    unauthorised = link.failure(1, "error: device unauthorized.")
    assert unauthorised is not None
    assert "unlock it" in str(unauthorised)


def test_no_adb_but_that_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("adbutils", reason="has no wheel for this machine")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = Path(find_adb())
    assert "adbutils" in found.parts
    assert found.stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        (["Google", "Pixel 7", "Google", "Tensor GS201"], "Google Pixel 7 (Tensor GS201)"),
        (["Xiaomi", "Xiaomi 13", "QTI", "SM8550"], "Xiaomi 13 (QTI SM8550)"),
        (["samsung", "SM-S911B", "", ""], "samsung SM-S911B"),
        (["", "", "", ""], None),
        ([], None),
    ],
)
def test_how_a_phone_is_called(properties: list[str], name: str | None) -> None:
    assert phone_name(properties) == name
