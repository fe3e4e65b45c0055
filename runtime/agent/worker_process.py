"""A worker as the agent sees it: a process that is asked, heard, interrupted and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO

from shufflenet_deploy.runtime.agent.protocol import Ended

AT_ONCE = 1 << 16
"""Bytes to read."""
_READS = 4
"""All that a pipe holds, and more."""
_CLOSING_SECONDS = 0.5
"""From the end of a worker's stderr to its own."""


class WorkerProcess:
    """A worker process, in a process group of its own, so that its children go with it."""

    def __init__(self, command: Sequence[str], spec: bytes) -> None:
        self._answer = _memory()
        with _memory() as question:
            question.write(spec)
            question.seek(0)
            self._process = subprocess.Popen(
                command,
                stdin=question,
                stdout=self._answer,
                stderr=subprocess.PIPE,
                process_group=0,
            )
        assert self._process.stderr is not None
        self.stderr = self._process.stderr.fileno()
        os.set_blocking(self.stderr, False)
        self._rest = b""
        self._closed = False
        self._interrupts = 0

    def interrupt(self) -> None:
        """Ask for what it has; a second time, end it."""
        self._interrupts += 1
        if self._interrupts > 1:
            self.kill()
        elif self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and its children."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def lines(self) -> list[str]:
        """What it has said since the last time, as far as lines are whole."""
        data = b""
        try:
            # Not until it is empty: who says more than can be passed on would keep us for ever.
            for _ in range(_READS):
                piece = os.read(self.stderr, AT_ONCE)
                data += piece
                self._closed = not piece
        except BlockingIOError:
            pass
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._closed and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        return [line.decode(errors="replace") for line in lines]

    def is_over(self) -> bool:
        """Whether it has ended. Its stderr closes first; a child of its may keep that open."""
        if self._closed:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_CLOSING_SECONDS)
        return self._process.poll() is not None

    def ended(self) -> Ended:
        """How it ended, and its answer."""
        self._answer.seek(0)
        answer = self._answer.read().decode(errors="replace")
        self._answer.close()
        assert self._process.stderr is not None
        self._process.stderr.close()
        return Ended(code=self._process.wait(), answer=answer)


def _memory() -> IO[bytes]:
    """A file without a name: pipes could fill up, and a phone has no folder for such files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("worker"), "w+b")
    return tempfile.TemporaryFile()
