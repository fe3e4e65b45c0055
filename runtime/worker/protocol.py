"""What a worker says to whoever started it: `Progress` and remarks on stderr, `Answer` on stdout.

Both ends are here, so that neither can speak otherwise than the other hears. How it says that it
failed is as with all our processes: see `endings`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from shufflenet_deploy.runtime.endings import failure, plain
from shufflenet_deploy.runtime.errors import ProcessError
from shufflenet_deploy.runtime.worker.spec import ANSWER_VERSION, Answer, Progress, Spec

_REMARKS, _LONGEST = 40, 1000
"""How many lines are kept of what a process says, and how many characters of each."""

Report = Callable[[Progress], None]
"""A function that hears of a worker's progress."""


def progress_line(progress: Progress) -> str:
    """The line on stderr that says `progress`."""
    return msgspec.json.encode(progress).decode() + "\n"


def encode_answer(answer: Answer) -> bytes:
    """All of a worker's stdout."""
    return msgspec.json.encode(answer) + b"\n"


def decode_answer(said: bytes | str, asked: Spec | None = None) -> Answer:
    """What `encode_answer` made, with no text in it that does something to a terminal.

    Raises `ProcessError` for what it never makes, and for an answer of other models than `asked`.
    """
    try:
        document = msgspec.json.decode(said, type=dict[str, Any])
        if document.get("version") != ANSWER_VERSION:
            raise ProcessError(
                "the worker is of another version of shufflenet-deploy than this host: "
                "install the same on both"
            )
        answer = msgspec.convert(printable(document), type=Answer, str_keys=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProcessError(f"the worker's answer cannot be read: {error}") from None
    told = len(answer.models) + len(answer.skipped)
    if asked is not None and told != len(asked.artifacts):
        raise ProcessError(
            f"the worker answers of {told} models, where it was asked for {len(asked.artifacts)}"
        )
    return answer


def printable(document: object) -> object:
    """A decoded document whose texts are all `plain`."""
    if isinstance(document, str):
        return plain(document)
    if isinstance(document, list):
        return [printable(value) for value in document]
    if isinstance(document, dict):
        return {plain(str(name)): printable(value) for name, value in document.items()}
    return document


class Listener:
    """Hears a process's stderr line by line: passes progress on, and keeps the last of the rest."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._remarks: deque[str] = deque(maxlen=_REMARKS)

    def hear(self, line: str) -> None:
        """Take a line."""
        progress = _progress(line)
        if progress:
            self._report(progress)
        elif remark := line.strip():
            self._remarks.append(remark[:_LONGEST])

    def failure(self, who: str, code: int) -> ProcessError:
        """Why `who`, to whom this listened, ended with `code`."""
        return failure(who, code, self._remarks)


def _progress(line: str) -> Progress | None:
    try:
        progress = msgspec.json.decode(line, type=Progress)
        return msgspec.structs.replace(progress, stage=plain(progress.stage))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
