"""What the commands share: an error is one line and an exit code, never a traceback."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn, TextIO

import typer
from typer.exceptions import TyperException

from shufflenet_deploy.runtime import PROJECT
from shufflenet_deploy.runtime.endings import DONE, fail
from shufflenet_deploy.runtime.errors import ShufflenetDeployError
from shufflenet_deploy.runtime.files import shown
from shufflenet_deploy.runtime.system import ENDING_SIGNALS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_ENDLESS = 10_000
"""Wider than any table, in columns."""
_LONG = 16
"""Names of up to so many letters stay in their table: numbers would save little."""
_BY_SIGNAL = 128
"""What shells add to a signal's number where it has ended a process."""
_FULL, _ELSEWHERE = "make room there", "name another place"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _ELSEWHERE,
    errno.ENAMETOOLONG: "choose a shorter name",
}
"""By the number of an OSError."""
_TYPERS_INTERRUPTED = 130
"""What Typer returns for a KeyboardInterrupt, which it does not let through."""


_COMMANDS = {
    "shufflenet-train": "trains a network",
    "shufflenet-export": "makes artifacts of one",
    "shufflenet-eval": "counts their right answers",
    "shufflenet-bench": "measures them on a device",
    "shufflenet-report": "makes a page of that",
    "shufflenet-classify": "says what is in a photograph",
}
"""The commands and what each does, in the order in which they are used."""


def neighbours(own: str) -> str:
    """What the help of the command `own` says of all others."""
    others = [f"{name} {does}" for name, does in _COMMANDS.items() if name != own]
    return f"Its neighbours: {'; '.join(others)}."


class _Interrupted(KeyboardInterrupt):
    """Ctrl-C, or a signal that ends a process as it does.

    A KeyboardInterrupt itself that passes through code made of text, such as dataclasses consist
    of, has CPython end the process by SIGINT in the end, although it was caught meanwhile.
    """


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"{PROJECT} {version(PROJECT)}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_print_version, is_eager=True, help="Print the version, and stop."
    ),
]
"""What every command takes as its last parameter, which it need not look at."""


def run(app: typer.Typer) -> NoReturn:
    """Run `app` on the process's arguments and exit: 0 done, 1 failed, 2 wrong usage.

    SIGTERM and SIGHUP end it as Ctrl-C does, so that nothing is left behind, with 143 and 129.
    """
    sys.stdout, sys.stderr = _stream(sys.stdout), _stream(sys.stderr)
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            received.append(number)
        raise _Interrupted

    usual = (signal.SIG_DFL, signal.default_int_handler)
    for number in (signal.SIGINT, *ENDING_SIGNALS):
        if signal.getsignal(number) in usual:  # nohup has SIGHUP ignored, and & SIGINT
            signal.signal(number, interrupt)
    try:
        _run(app)
    except SystemExit as end:
        if received and end.code:
            sys.exit(_BY_SIGNAL + received[0])
        raise


def _run(app: typer.Typer) -> NoReturn:
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()  # here, where what goes wrong can still be told
    except TyperException as error:  # an option that does not parse, an unknown command
        fail(getattr(error, "format_message", error.__str__)(), usage=True)
    except ShufflenetDeployError as error:
        fail(str(error), usage=error.usage)
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted")
    except OSError as error:  # a full disk, a file that may not be read
        if error.filename is None:  # stdout's; left open, the interpreter's end would try again
            with suppress(OSError):
                sys.stdout.close()
        remedy = _REMEDIES.get(error.errno or 0) if error.filename else None
        said = f"{error.filename or 'input or output'}: {error.strerror or error}"
        fail(f"{said}; {remedy}" if remedy else said)
    except UnicodeEncodeError as error:  # into a document, which has no escapes of that kind
        fail(
            f"{shown(error.object)[:200]!r} is no UTF-8, which documents are in: rename it",
            usage=True,
        )
    if code == _TYPERS_INTERRUPTED:
        fail("interrupted")
    sys.exit(code or DONE)


def print_table(table: Table, console: Console) -> None:
    """Print `table`, whose first column has names, such as files', that are to stay whole.

    Where they do not fit beside the figures, as on a terminal of 80 columns, they stand above the
    table, and their numbers in it.
    """
    # Only now, so that --help answers at once.
    from rich.measure import Measurement
    from rich.text import Text

    natural = Measurement.get(console, console.options.update(max_width=_ENDLESS), table).maximum
    names = list(table.columns[0]._cells)
    if natural > console.width and any(len(str(name)) > _LONG for name in names):
        for number, name in enumerate(names, 1):
            console.print(Text(f"{number}: {name}"), overflow="fold")
        console.print()
        table.columns[0]._cells = [str(number) for number, _ in enumerate(names, 1)]
    console.print(table)


def _stream(stream: TextIO | None) -> TextIO:
    """`stream`, to which any text can be written: what it has no letters for is escaped.

    In place of one that was closed there is one that takes everything: else the next file that is
    opened would get its number, and what is meant for a person.
    """
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream
