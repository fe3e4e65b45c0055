"""A device that says anything but what it should: one line, and what was measured before stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cases import Said, finish, require_plain
from hostile_agent import ANSWERS, FIRST, WORK
from hostile_device import DeviceNeeds, HostileDevice

pytestmark = pytest.mark.network

ENDLESS = ("silent", "endless line", "endless lines")
REFUSED = [mode for mode in (*FIRST, *WORK) if mode not in ENDLESS] + [
    *("no models", "two models", "negative", "zero", "no samples", "huge", "other hash"),
    "canary zero",
]
"""Modes after which nothing can be measured."""
MEASURED = [mode for mode in ANSWERS if mode not in REFUSED]
"""Modes that may be refused too, but leave results that can be read."""


OF_EACH_KIND = ("said first", "busy with escapes", "deep answer", "zero", "board with escapes")
"""Those that are tried in every run; a device takes seconds."""


def modes(names: list[str]) -> list[object]:
    return [pytest.param(name, marks=list(marks(name))) for name in names]


def marks(mode: str) -> Iterator[pytest.MarkDecorator]:
    if mode not in OF_EACH_KIND:
        yield pytest.mark.slow


def measured(device: HostileDevice, artifact: Path, seconds: float = 60.0) -> Said:
    """What the host made of the device; the proof that it was this device."""
    words = device.words(artifact)
    try:
        return device.bench.run("shufflenet-bench", *words, seconds=seconds)
    finally:
        device.require_reached()


@pytest.mark.parametrize("mode", modes(REFUSED))
def test_nonsense_is_refused_in_one_line(
    mode: str, honest_answer: str, device_needs: DeviceNeeds, own_onnx: Path, tmp_path: Path
) -> None:
    device = HostileDevice.set_up(tmp_path, device_needs, mode, honest_answer)
    measured(device, own_onnx).require_one_line()
    results = tmp_path / "results.json"
    if results.exists():
        read = device.bench.run("shufflenet-bench", "compare", "results.json", "results.json")
        assert "Traceback" not in read.stderr


@pytest.mark.parametrize("mode", modes(MEASURED))
def test_oddities_leave_what_can_be_read(
    mode: str, honest_answer: str, device_needs: DeviceNeeds, own_onnx: Path, tmp_path: Path
) -> None:
    device = HostileDevice.set_up(tmp_path, device_needs, mode, honest_answer)
    said = measured(device, own_onnx)
    require_plain(said.stderr)
    require_plain(said.stdout)
    if said.code:
        said.require_one_line()
        return
    assert json.loads((tmp_path / "results.json").read_text())["ended"] == "done"
    report = device.bench.run("shufflenet-report", "results.json", "--out", "report.md")
    report.require_success()
    require_plain((tmp_path / "report.md").read_text().replace("\t", " "))


@pytest.mark.parametrize(
    "noise",
    [
        "no end of line: ",
        pytest.param("Welcome to box!\n", marks=pytest.mark.slow),
        pytest.param("%s \\n \"'$HOME'\n", marks=pytest.mark.slow),
    ],
)
def test_a_noisy_login_disturbs_nothing(
    noise: str, honest_answer: str, device_needs: DeviceNeeds, own_onnx: Path, tmp_path: Path
) -> None:
    device = HostileDevice.set_up(tmp_path, device_needs, "honest", honest_answer, noise)
    measured(device, own_onnx).require_success()


@pytest.mark.slow
def test_silence_has_an_end(
    honest_answer: str, device_needs: DeviceNeeds, own_onnx: Path, tmp_path: Path
) -> None:
    device = HostileDevice.set_up(tmp_path, device_needs, "silent", honest_answer)
    measured(device, own_onnx, seconds=90.0).require_one_line()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["endless line", "endless lines"])
def test_endless_words_have_an_end(
    mode: str, honest_answer: str, device_needs: DeviceNeeds, own_onnx: Path, tmp_path: Path
) -> None:
    device = HostileDevice.set_up(tmp_path, device_needs, mode, honest_answer)
    process = device.bench.start("shufflenet-bench", *device.words(own_onnx))
    try:
        finish(process, 20.0).require_one_line()
    finally:
        device.require_reached()
