"""The boards that ``--device`` names: how to reach them, and how to tell that it is the one."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from shufflenet_deploy.bench.devices.board import Board, Peak, matches
from shufflenet_deploy.bench.devices.kinds import DEVICES
from shufflenet_deploy.bench.folders import config_folder
from shufflenet_deploy.bench.results import Target
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files.reading import read_bytes
from shufflenet_deploy.runtime.machine.environment import Environment

CLOCK_TOLERANCE = 0.05
"""The share by which a board's clock may miss that of a published peak and still be it."""


def load_boards(user_file: Path | None) -> dict[str, Board]:
    """Boards by name: those that come with this package, then those of `user_file`.

    A table there overrides single values of the board of its name. A file that is not there has
    no boards. Raises `BenchError` for a broken one.
    """
    shipped = files("shufflenet_deploy.bench.devices").joinpath("devices.toml").read_text()
    tables: dict[str, Any] = tomllib.loads(shipped)
    boards = {name: _board(name, table) for name, table in tables.items()}
    for name, table in _user_tables(user_file).items():
        if not isinstance(table, dict):
            raise _broken(user_file, f"{name} stands outside of any board")
        try:
            boards[name] = _board(name, tables.get(name, {}) | table)
        except msgspec.ValidationError as error:
            raise _broken(user_file, f"board {name}: {error}") from None
    return boards


def find_board(name: str, user_file: Path | None = None) -> Board:
    """The board called `name`; of the user's own file too, by default that of `user_boards`.

    Raises `BenchError` where there is none.
    """
    path = user_file or user_boards()
    boards = load_boards(path)
    if name not in boards:
        raise BenchError(
            f"unknown device {name!r}: choose from {', '.join(boards)}, or describe it in "
            f"{path or 'a devices.toml'}",
            usage=True,
        )
    return boards[name]


def user_boards() -> Path | None:
    """Where a user's own boards are described; None where there is no home folder."""
    folder = config_folder()
    return folder / "devices.toml" if folder else None


def is_this_machine(board: Board, here: Environment) -> bool:
    """Whether no way to `board` is needed: on a Raspberry Pi 4 itself ``rpi4`` is this machine."""
    is_here = DEVICES[board.kind].is_here
    return is_here == "always" or (is_here == "by its name" and matches(board, here.board) is True)


def pinned(board: Board, environment: Environment, threads: int) -> tuple[int, ...]:
    """The cores to stay on where nothing else is asked for; none leaves it to the system.

    Those of the board's table, else on a phone the fastest kinds of core that have a core for each
    of `threads`: its system moves a program among kinds that differ several times in speed.
    """
    if board.cores or not DEVICES[board.kind].takes_fastest_cores:
        return board.cores
    clocks = environment.maximum_mhz
    cores: list[int] = []
    for clock in sorted(set(clocks.values()), reverse=True):
        cores += [core for core, mhz in clocks.items() if mhz == clock]
        if len(cores) >= threads:
            break
    return tuple(sorted(cores)) if len(cores) < len(clocks) else ()


def target(board: Board, environment: Environment) -> Target:
    """What results say of `board`; `environment` is that of the machine itself."""
    peak = _peak(board, environment)
    return Target(
        board=board.name,
        kind=board.kind,
        expected=board.identity,
        latency=board.latency,
        published_peak_gflops=peak.gflops if peak else None,
        published_peak_source=peak.source if peak else None,
    )


def _peak(board: Board, environment: Environment) -> Peak | None:
    """The peak at the machine's own clock; of an unknown clock only where there is no choice."""
    if not environment.maximum_mhz:
        return board.peaks[0] if len(board.peaks) == 1 else None
    clock = max(environment.maximum_mhz.values())
    fitting = [peak for peak in board.peaks if abs(clock / peak.mhz - 1) <= CLOCK_TOLERANCE]
    return min(fitting, key=lambda peak: abs(clock - peak.mhz), default=None)


def _user_tables(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(read_bytes(path).decode())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _broken(path, f"it cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(path, f"it is not TOML: {error}") from None


def _board(name: str, table: dict[str, Any]) -> Board:
    if "name" in table:
        raise msgspec.ValidationError("`name` is the name of the table and no value in it")
    board = msgspec.convert({**table, "name": name}, type=Board)
    kind = DEVICES.get(board.kind)
    if kind is None:
        raise msgspec.ValidationError(
            f"unknown kind {board.kind!r}: choose from {', '.join(DEVICES)}"
        )
    if board.latency and not kind.has_latency:
        raise msgspec.ValidationError(
            f"the time of a device that is {kind.phrase} is no latency: latency = false"
        )
    return board


def _broken(path: Path | None, fault: str) -> BenchError:
    return BenchError(
        f"{path} describes your own boards and is broken: {fault}; mend it, or move it away",
        usage=True,
    )
