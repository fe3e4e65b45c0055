"""The kinds of devices: one row each, and the one shape that all of them have."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from shufflenet_deploy.bench.counted import Counted
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.runtime import system
from shufflenet_deploy.runtime.engines.given import GivenInput
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.environment import read_environment
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Answer, Spec

if TYPE_CHECKING:
    from shufflenet_deploy.bench.devices.board import Board


class Device(Protocol):
    """A machine on which workers (`python -m shufflenet_deploy.runtime`) can be started."""

    def put(self, path: Path) -> str:
        """Have the model's files and any manifest on the device; returns the path there."""

    def run(self, spec: Spec, report: Report) -> Answer:
        """Have a new worker carry out `spec`, and call `report` as it progresses.

        On Ctrl-C the worker is interrupted and its answer says so; raises KeyboardInterrupt
        where it has none yet. Raises `BenchError` where the worker fails or dies, and its kind
        `DeviceLostError` where the device itself goes away.
        """

    def close(self) -> None:
        """Leave the device as it was found."""


@runtime_checkable
class Counter(Protocol):
    """A `Device` without a latency, which counts what an inference takes instead."""

    def count(self, placed: str, engine: str, inputs: Sequence[GivenInput] = ()) -> Counted:
        """Of the artifact that `put` has placed there, on the engine of that name, with one thread.

        `inputs` are as of a `Spec`.
        Raises `BenchError` where it does not run, and KeyboardInterrupt.
        """


@dataclass(frozen=True, kw_only=True)
class DeviceKind:
    """A row of `DEVICES`. What it opens is imported when it is first needed."""

    phrase: str
    """What a device of this kind is, to stand behind "which is"."""
    open: Callable[[Board, DeviceOptions], Device]
    """Opens the board; raises `BenchError` where it cannot be reached or used."""
    probe: Callable[[Board], str]
    """Asks the board who it is and changes nothing; raises `BenchError` where nothing answers."""
    options: frozenset[str] = frozenset()
    """Names of the command-line options of `DeviceOptions.given` that this kind has a use for."""
    is_here: Literal["always", "by its name", "never"] = "never"
    """Whether such a board is this very machine: ``by its name`` where this machine calls itself
    so."""
    has_latency: bool = True
    """Whether time measured on such a device can be a latency."""
    takes_fastest_cores: bool = False
    """Whether the device's system moves programs among kinds of cores that differ several times in
    speed, so that workers are pinned to the fastest unless something else is asked for."""


def _open_local(board: Board, options: DeviceOptions) -> Device:
    from shufflenet_deploy.bench.devices.local import LocalDevice

    if not system.MEASURES_ITSELF:
        raise BenchError(
            f"{platform.system()} binds no process to cores, so this machine is not measured: "
            "name a board by --device",
            usage=True,
        )
    return LocalDevice(prepare=options.prepare, tell=options.tell)


def _probe_local(board: Board) -> str:
    environment = read_environment()
    return environment.board or environment.processor or environment.architecture


def _open_ssh(board: Board, options: DeviceOptions) -> Device:
    from shufflenet_deploy.bench.devices.ssh import open_ssh

    return open_ssh(board, options)


def _probe_ssh(board: Board) -> str:
    from shufflenet_deploy.bench.devices.ssh import probe_ssh

    return probe_ssh(board)


def _open_adb(board: Board, options: DeviceOptions) -> Device:
    from shufflenet_deploy.bench.devices.adb import open_adb

    return open_adb(board, options)


def _probe_adb(board: Board) -> str:
    from shufflenet_deploy.bench.devices.adb import probe_adb

    return probe_adb(board)


def _open_emulated(board: Board, options: DeviceOptions) -> Device:
    from shufflenet_deploy.bench.devices.emulated import open_emulated

    return open_emulated(board, options)


def _probe_emulated(board: Board) -> str:
    from shufflenet_deploy.bench.emulation.qemu import find_qemu

    return f"QEMU {find_qemu().version}"


LOCAL = "local"
"""The kind of this machine, and the board that is meant where none is named."""

DEVICES: dict[str, DeviceKind] = {
    LOCAL: DeviceKind(
        phrase="this machine",
        open=_open_local,
        probe=_probe_local,
        options=frozenset({"--prepare"}),
        is_here="always",
    ),
    "ssh": DeviceKind(
        phrase="reached over SSH",
        open=_open_ssh,
        probe=_probe_ssh,
        options=frozenset({"--prepare", "--provision", "--native-runner"}),
        is_here="by its name",
    ),
    "adb": DeviceKind(
        phrase="reached over adb",
        open=_open_adb,
        probe=_probe_adb,
        options=frozenset({"--prepare", "--provision", "--native-runner"}),
        takes_fastest_cores=True,
    ),
    "emulated": DeviceKind(
        phrase="emulated",
        open=_open_emulated,
        probe=_probe_emulated,
        options=frozenset({"--cpu", "--counts"}),
        has_latency=False,
    ),
}
"""Every kind of device, by the name that ``devices.toml`` gives it."""
