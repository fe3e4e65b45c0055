"""How a process of ours ends: an exit code, and for an error one line on stderr.

Whatever we start says it by `fail`, and whoever started it reads it by `failure`: nobody else
knows how the line begins. `error_line` is for who says it in another's place.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from shufflenet_deploy.runtime.errors import ProcessError

DONE, FAILED, WRONG_USAGE = 0, 1, 2
"""The exit codes of our processes: success, failure, and a mistake in what was asked for."""
KILLED = 9
"""The number of SIGKILL, which not every system has (signal(7))."""
_MARK = "error: "


def plain(text: str) -> str:
    """`text` from anywhere, with escapes in place of what does something to a terminal."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def error_line(message: str) -> str:
    """The line on stderr that says `message` of an error, without its end."""
    return _MARK + plain(" ".join(message.split()))


def fail(message: str, *, usage: bool = False) -> NoReturn:
    """End this process by an error: `message` in one line."""
    sys.stderr.write(error_line(message) + "\n")
    sys.exit(WRONG_USAGE if usage else FAILED)


def failure(who: str, code: int, remarks: Sequence[str]) -> ProcessError:
    """Why `who` ended with `code`, as `subprocess` has it, after `remarks` on stderr.

    What it said itself, in its own words; else how it died and the last of its remarks.
    """
    ending, usage = _ending(code), code == WRONG_USAGE
    if code in (FAILED, WRONG_USAGE):
        # Not only the last: an engine may have a word to say while Python ends.
        for remark in reversed(remarks):
            if remark.startswith(_MARK):
                return ProcessError(remark.removeprefix(_MARK), ending, usage=usage)
    said = f"its last line: {remarks[-1]}" if remarks else "it said nothing"
    return ProcessError(f"{who} died ({ending}); {said}", ending, usage=usage)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    if -code == KILLED:
        name += ", which is what the system does when it is out of memory"
    return name
