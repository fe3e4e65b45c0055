"""Where models are measured: the one shape that every kind of device has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from shufflenet_deploy.bench import BenchError
from shufflenet_deploy.bench.boards import Board, is_this_machine, matches
from shufflenet_deploy.runtime.environment import Environment, read_environment
from shufflenet_deploy.runtime.spec import Answer, Progress, Spec

Report = Callable[[Progress], None]


class Device(Protocol):
    """A machine on which workers (`python -m shufflenet_deploy.runtime`) can be started."""

    def put(self, path: Path) -> str:
        """Have the file and any manifest of it on the device; returns its path there."""

    def run(self, spec: Spec, report: Report) -> Answer:
        """Have a new worker carry out `spec`, and call `report` as it progresses.

        On Ctrl-C the worker is interrupted and its answer says so; raises KeyboardInterrupt
        where it has none yet. Raises `BenchError` where the worker fails or dies.
        """


def open_device(board: Board) -> Device:
    """A device for `board`. Raises `BenchError` where there is no way to it."""
    if board.kind == "local" or is_this_machine(board, read_environment()):
        from shufflenet_deploy.bench.devices.local import LocalDevice

        return LocalDevice()
    raise BenchError(
        f"this machine is no {board.title}, and devices over {board.kind} cannot be reached yet: "
        "run shufflenet-bench on the device itself",
        usage=True,
    )


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
