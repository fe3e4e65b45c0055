"""An emulated ARM64 processor as a device: exact in what it computes and counts, without a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shufflenet_deploy.bench.counted import Counted
from shufflenet_deploy.bench.devices.board import Board
from shufflenet_deploy.bench.devices.local import LocalDevice
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.bench.emulation.count import count
from shufflenet_deploy.bench.emulation.machine import Machine
from shufflenet_deploy.bench.emulation.processors import find_processor
from shufflenet_deploy.runtime.engines.given import GivenInput
from shufflenet_deploy.runtime.worker.client import WORKER
from shufflenet_deploy.runtime.worker.counting import Request
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Answer, Spec


class EmulatedDevice:
    """A `Device` and `Counter` of one core on `machine`, which it closes in the end.

    Its workers are processes of this host, under an agent as those of `LocalDevice` are. The lock
    is its own: where nothing is timed, nothing disturbs.
    """

    def __init__(self, machine: Machine, caches: bool) -> None:
        self._machine = machine
        self._caches = caches
        self._local = LocalDevice(machine.command(WORKER), folder=machine.folder, machine=False)

    def put(self, path: Path) -> str:
        """See `Device.put`."""
        return self._machine.place(path)

    def run(self, spec: Spec, report: Report) -> Answer:
        """See `Device.run`. The times of its answer are the emulator's, and to be dropped."""
        return self._local.run(spec, report)

    def count(self, placed: str, engine: str, inputs: Sequence[GivenInput] = ()) -> Counted:
        """See `Counter.count`."""
        request = Request(artifact=placed, engine=engine, inputs=tuple(inputs))
        return count(self._machine, placed, self._caches, request=request).counted

    def close(self) -> None:
        """See `Device.close`."""
        try:
            self._local.close()
        finally:
            self._machine.close()


def open_emulated(board: Board, options: DeviceOptions) -> EmulatedDevice:
    """The processor that `options` names. Raises `BenchError` where it cannot be emulated here."""
    machine = Machine(find_processor(options.cpu), options.engines, options.tell)
    return EmulatedDevice(machine, bool(options.caches))
