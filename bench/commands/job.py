"""What a user asked to be measured, and the device on which it is."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from shufflenet_deploy.bench.devices import Device
    from shufflenet_deploy.bench.devices.board import Board
    from shufflenet_deploy.bench.devices.options import DeviceOptions
    from shufflenet_deploy.bench.measure.session import Choice
    from shufflenet_deploy.bench.results import Parameters
    from shufflenet_deploy.runtime.machine.environment import Environment


@dataclass(frozen=True)
class Job:
    """What was asked for, checked as far as that needs no device."""

    board: Board
    any_board: bool
    options: DeviceOptions
    choice: Choice
    parameters: Parameters
    data: str | None
    evaluated: Path | None
    out: Path
    as_json: bool
    stderr: Console


@contextmanager
def opened(job: Job) -> Iterator[tuple[Device, Environment, Parameters]]:
    """The device, what it says of itself, and the parameters with the cores that suit it."""
    from msgspec.structs import replace

    from shufflenet_deploy.bench.devices import describe, open_device
    from shufflenet_deploy.bench.devices.boards import pinned

    with open_device(job.board, job.options) as device:
        environment = describe(device, job.board, job.any_board)
        parameters = job.parameters
        if not parameters.cores:
            cores = pinned(job.board, environment, max(parameters.threads))
            parameters = replace(parameters, cores=cores)
        yield device, environment, parameters
