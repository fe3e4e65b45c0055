"""Where artifacts are measured: the one shape that every kind of device has, and the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from shufflenet_deploy.bench import BenchError
from shufflenet_deploy.bench.environment import Environment
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.spec import Answer, Progress, Spec

Report = Callable[[Progress], None]


class Device(Protocol):
    """A machine on which workers (`python -m shufflenet_deploy.runtime`) can be started."""

    @property
    def kind(self) -> str:
        """Its key in `DEVICES`."""

    def put(self, artifact: Artifact) -> str:
        """Have `artifact` and its manifest on the device; returns its path there."""

    def run(self, spec: Spec, report: Report) -> Answer:
        """Have a new worker carry out `spec`, and call `report` as it progresses.

        On Ctrl-C the worker is interrupted and its answer says so; raises KeyboardInterrupt
        where it has none yet. Raises `BenchError` where the worker fails or dies.
        """

    def environment(self) -> Environment:
        """What the device is, and in what state it is now."""


def _local() -> Device:
    from shufflenet_deploy.bench.devices.local import LocalDevice

    return LocalDevice()


DEVICES: dict[str, Callable[[], Device]] = {
    "local": _local,
}
"""Kind -> what imports and makes a device of that kind."""


def open_device(kind: str) -> Device:
    """A device of `kind`. Raises `BenchError` where there is no such kind."""
    factory = DEVICES.get(kind)
    if factory is None:
        raise BenchError(f"unknown device {kind!r}: choose from {', '.join(DEVICES)}", usage=True)
    return factory()
