"""Where models are measured: the one shape that every kind of device has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from shufflenet_deploy.bench.counted import Counted
from shufflenet_deploy.bench.devices.boards import Board, is_this_machine, matches
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.bench.devices.report import Report
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.environment import Environment, read_environment
from shufflenet_deploy.runtime.worker.spec import Answer, Spec


class Device(Protocol):
    """A machine on which workers (`python -m shufflenet_deploy.runtime`) can be started."""

    def put(self, path: Path) -> str:
        """Have the file and any manifest of it on the device; returns its path there."""

    def run(self, spec: Spec, report: Report) -> Answer:
        """Have a new worker carry out `spec`, and call `report` as it progresses.

        On Ctrl-C the worker is interrupted and its answer says so; raises KeyboardInterrupt
        where it has none yet. Raises `BenchError` where the worker fails or dies, and its kind
        `agent_client.DeviceLostError` where the device itself goes away.
        """

    def close(self) -> None:
        """Leave the device as it was found."""


@runtime_checkable
class Counter(Protocol):
    """A `Device` without a latency, which counts what an inference takes instead."""

    def count(self, placed: str) -> Counted:
        """Of the artifact that `put` has placed there, with one thread.

        Raises `BenchError` where it does not run, and KeyboardInterrupt.
        """


def _local(board: Board, options: DeviceOptions) -> Device:
    from shufflenet_deploy.bench.devices.local import LocalDevice

    return LocalDevice(prepare=options.prepare, tell=options.tell)


def _ssh(board: Board, options: DeviceOptions) -> Device:
    from shufflenet_deploy.bench.devices.ssh import open_ssh

    return open_ssh(board, options)


def _adb(board: Board, options: DeviceOptions) -> Device:
    from shufflenet_deploy.bench.devices.adb import open_adb

    return open_adb(board, options)


def _emulated(board: Board, options: DeviceOptions) -> Device:
    from shufflenet_deploy.bench.devices.emulated import open_emulated

    return open_emulated(board, options)


DEVICES: dict[str, Callable[[Board, DeviceOptions], Device]] = {
    "local": _local,
    "ssh": _ssh,
    "adb": _adb,
    "emulated": _emulated,
}
"""Kind of a board -> what opens one; each is imported when it is first needed."""


def _probe_local(board: Board) -> str:
    environment = read_environment()
    return environment.board or environment.processor or environment.architecture


def _probe_ssh(board: Board) -> str:
    from shufflenet_deploy.bench.devices.ssh import probe_ssh

    return probe_ssh(board)


def _probe_adb(board: Board) -> str:
    from shufflenet_deploy.bench.devices.adb import probe_adb

    return probe_adb(board)


def _probe_emulated(board: Board) -> str:
    from shufflenet_deploy.bench.emulation.qemu import find_qemu

    return f"QEMU {find_qemu().version}"


PROBES: dict[str, Callable[[Board], str]] = {
    "local": _probe_local,
    "ssh": _probe_ssh,
    "adb": _probe_adb,
    "emulated": _probe_emulated,
}
"""Kind of a board -> what asks it who it is and changes nothing; raises `BenchError` where nothing
answers."""


@contextmanager
def open_device(board: Board, options: DeviceOptions | None = None) -> Iterator[Device]:
    """The device for `board`, which is let go at the end whatever happens.

    Raises `BenchError` where it cannot be reached, and for options that mean nothing to it.
    """
    options = options or DeviceOptions()
    kind = "local" if is_this_machine(board, read_environment()) else board.kind
    _check_options(board, kind, options)
    device = DEVICES[kind](board, options)
    try:
        yield device
    finally:
        device.close()


def _check_options(board: Board, kind: str, options: DeviceOptions) -> None:
    for option, given, kinds in (
        ("--provision", options.provision is not None, ("ssh", "adb")),
        ("--prepare", options.prepare, ("local", "ssh", "adb")),
        ("--cpu", options.cpu is not None, ("emulated",)),
        ("--counts", options.caches is not None, ("emulated",)),
    ):
        if given and kind not in kinds:
            raise BenchError(
                f"{option} means nothing to {board.name}, which is {_WORDS[kind]}: leave it out",
                usage=True,
            )


_WORDS = {
    "local": "this machine",
    "ssh": "reached over SSH",
    "adb": "reached over adb",
    "emulated": "emulated",
}


def describe(device: Device, board: Board, any_board: bool) -> Environment:
    """What `device` says of itself.

    Raises `BenchError` where it calls itself something else than a `board`, unless it may be any.
    """
    environment = device.run(Spec(), lambda progress: None).environment
    if not any_board and matches(board, environment.board) is False:
        raise BenchError(
            f"the device calls itself {environment.board!r}, which is no {board.title}: name the "
            "right one with --device, or measure it all the same with --any-board",
            usage=True,
        )
    return environment
