from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench import devices
from shufflenet_deploy.bench.devices import describe, open_device
from shufflenet_deploy.bench.devices.boards import load_boards
from shufflenet_deploy.bench.devices.local import LocalDevice
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.environment import Environment, read_environment
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Answer, Spec

if TYPE_CHECKING:
    from tests.bench.conftest import FakeDevice

BOARDS = load_boards(None)
PI_4 = "Raspberry Pi 4 Model B Rev 1.4"


def called(name: str | None) -> Environment:
    return replace(read_environment(), board=name)


def test_local_is_this_machine() -> None:
    with open_device(BOARDS["local"]) as device:
        assert isinstance(device, LocalDevice)


def test_on_a_board_itself_its_name_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "read_environment", lambda: called(PI_4))
    with open_device(BOARDS["rpi4"]) as device:
        assert isinstance(device, LocalDevice)


@pytest.mark.parametrize(
    ("board", "options", "message"),
    [
        (
            "local",
            DeviceOptions(provision="venv"),
            "--provision means nothing to local, which is this ma",
        ),
        (
            "emulated",
            DeviceOptions(prepare=True),
            "--prepare means nothing to emulated, which is emulated",
        ),
        ("local", DeviceOptions(cpu="cortex-a72"), "--cpu means nothing to local"),
        (
            "rpi4",
            DeviceOptions(caches=True),
            "--counts means nothing to rpi4, which is reached over SSH",
        ),
        (
            "android",
            DeviceOptions(cpu="max"),
            "--cpu means nothing to android, which is reached over adb",
        ),
    ],
)
def test_an_option_that_means_nothing_there_is_wrong_usage(
    board: str, options: DeviceOptions, message: str
) -> None:
    with pytest.raises(BenchError, match=message) as caught, open_device(BOARDS[board], options):
        pass
    assert caught.value.usage


def test_a_device_is_let_go_whatever_happens(
    make_device: type[FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    class Closing(make_device):  # type: ignore[misc, valid-type]
        def close(self) -> None:
            closed.append(self)

    row = dataclasses.replace(devices.DEVICES["local"], open=lambda board, options: Closing())
    monkeypatch.setitem(devices.DEVICES, "local", row)
    with pytest.raises(KeyboardInterrupt), open_device(BOARDS["local"]):
        raise KeyboardInterrupt
    assert len(closed) == 1


@pytest.fixture
def pi(make_device: type[FakeDevice]) -> FakeDevice:
    """A device that says it is a Raspberry Pi 4."""

    class Pi(make_device):  # type: ignore[misc, valid-type]
        def run(self, spec: Spec, report: Report) -> Answer:
            answer: Answer = super().run(spec, report)
            return replace(answer, environment=called(PI_4))

    device: FakeDevice = Pi()
    return device


def test_a_device_describes_itself_without_loading_anything(pi: FakeDevice) -> None:
    assert describe(pi, BOARDS["rpi4"], any_board=False).board == PI_4
    (spec,) = pi.specs
    assert spec.artifacts == ()


def test_another_board_than_was_asked_for_is_wrong_usage_unless_any_will_do(
    pi: FakeDevice,
) -> None:
    with pytest.raises(BenchError, match=f"calls itself '{PI_4}', which is no Raspberry Pi 5") as e:
        describe(pi, BOARDS["rpi5"], any_board=False)
    assert e.value.usage
    assert "--any-board" in str(e.value)
    assert describe(pi, BOARDS["rpi5"], any_board=True).board == PI_4


def test_a_device_that_says_no_name_is_believed(make_device: type[FakeDevice]) -> None:
    assert describe(make_device(), BOARDS["rpi5"], any_board=False).board is None
