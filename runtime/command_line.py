"""What the commands share: an error is one line and an exit code, never a traceback."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

DONE, FAILED, WRONG_USAGE = 0, 1, 2


def run(app: typer.Typer, *expected: type[Exception]) -> NoReturn:
    """Run `app` on the process's arguments and exit: 0 done, 1 failed, 2 wrong usage.

    `expected` are the project's own exceptions; one whose `usage` is true is wrong usage.
    """
    try:
        app(standalone_mode=False)
    except TyperException as error:  # an option that does not parse, an unknown command
        _exit(WRONG_USAGE, getattr(error, "format_message", error.__str__)())
    except expected as error:
        _exit(WRONG_USAGE if getattr(error, "usage", False) else FAILED, str(error))
    except (KeyboardInterrupt, typer.Abort):
        _exit(FAILED, "interrupted")
    except OSError as error:  # a full disk, a file that may not be read
        _exit(FAILED, f"{error.filename or 'input or output'}: {error.strerror or error}")
    sys.exit(DONE)


def _exit(code: int, message: str) -> NoReturn:
    sys.stderr.write("error: " + " ".join(message.split()) + "\n")
    sys.exit(code)
