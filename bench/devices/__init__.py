"""Where models are measured: boards, by the way to them that their kind has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shufflenet_deploy.bench.devices.board import Board, matches
from shufflenet_deploy.bench.devices.boards import is_this_machine
from shufflenet_deploy.bench.devices.kinds import DEVICES, LOCAL, Counter, Device, DeviceKind
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.environment import Environment, read_environment
from shufflenet_deploy.runtime.worker.spec import Spec

__all__ = [
    "DEVICES",
    "LOCAL",
    "Counter",
    "Device",
    "check_options",
    "describe",
    "kind_of",
    "open_device",
]


@contextmanager
def open_device(board: Board, options: DeviceOptions | None = None) -> Iterator[Device]:
    """The device for `board`, which is let go at the end whatever happens.

    Raises `BenchError` where it cannot be reached, and for options that mean nothing to it.
    """
    options = options or DeviceOptions()
    check_options(board, options)
    device = kind_of(board).open(board, options)
    try:
        yield device
    finally:
        device.close()


def kind_of(board: Board) -> DeviceKind:
    """The way to `board` from here: none is needed where it is this very machine."""
    return DEVICES[LOCAL if is_this_machine(board, read_environment()) else board.kind]


def check_options(board: Board, options: DeviceOptions) -> None:
    """Raise `BenchError` for an option that means nothing to `board`."""
    kind = kind_of(board)
    for option in options.given():
        if option not in kind.options:
            raise BenchError(
                f"{option} means nothing to {board.name}, which is {kind.phrase}: leave it out",
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
