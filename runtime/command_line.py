"""What the commands share: an error is one line and an exit code, never a traceback."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, TextIO

import typer
from typer.exceptions import TyperException

from shufflenet_deploy.runtime.endings import DONE, fail
from shufflenet_deploy.runtime.errors import ShufflenetDeployError
from shufflenet_deploy.runtime.files import shown

_TYPERS_INTERRUPTED = 130
"""What Typer returns for a KeyboardInterrupt, which it does not let through."""


def run(app: typer.Typer) -> NoReturn:
    """Run `app` on the process's arguments and exit: 0 done, 1 failed, 2 wrong usage."""
    sys.stdout, sys.stderr = _stream(sys.stdout), _stream(sys.stderr)
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
        fail(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except UnicodeEncodeError as error:  # into a document, which has no escapes of that kind
        fail(
            f"{shown(error.object)[:200]!r} is no UTF-8, which documents are in: rename it",
            usage=True,
        )
    if code == _TYPERS_INTERRUPTED:
        fail("interrupted")
    sys.exit(code or DONE)


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
