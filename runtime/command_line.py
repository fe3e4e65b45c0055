"""What the commands share: an error is one line and an exit code, never a traceback."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from shufflenet_deploy.runtime.endings import DONE, fail
from shufflenet_deploy.runtime.errors import ShufflenetDeployError

_TYPERS_INTERRUPTED = 130
"""What Typer returns for a KeyboardInterrupt, which it does not let through."""


def run(app: typer.Typer) -> NoReturn:
    """Run `app` on the process's arguments and exit: 0 done, 1 failed, 2 wrong usage."""
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
    if code == _TYPERS_INTERRUPTED:
        fail("interrupted")
    sys.exit(code or DONE)
