"""A process of ours that another one started: it is asked, heard, interrupted and ended."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import IO

from shufflenet_deploy.runtime import system
from shufflenet_deploy.runtime.machine.standstill import Standstill
from shufflenet_deploy.runtime.worker.isolation import isolated_environment

AT_ONCE = 1 << 16
"""The most bytes that are read at once."""
_READS = 4
"""How often `lines` reads at most: all that a pipe holds, and more."""
MAX_ANSWER_BYTES = 1 << 25
"""How much a process may write to its stdout, which is kept in memory."""
_CLOSING_SECONDS = 0.5
"""How long a process has to end once its stderr has."""


class Process:
    """A process in a group of its own, so that its children go with it.

    It gets `question` on stdin. Its stderr is kept for `lines`, or, where it is `shown`, that of
    this process. Of its time it may sleep `idle_seconds` at once; None has it stand still for as
    long as it likes. Raises OSError where `command` is no program.
    """

    def __init__(
        self,
        command: Sequence[str],
        question: bytes,
        shown: bool = False,
        idle_seconds: float | None = None,
    ) -> None:
        with ExitStack() as failing, _memory() as stdin:
            self._answer = failing.enter_context(_memory())
            stdin.write(question)
            stdin.seek(0)
            self._process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=self._answer,
                stderr=None if shown else subprocess.PIPE,
                **system.group_options(),
                env=isolated_environment(),
            )
            failing.pop_all()
        self._rest = b""
        self._closed = shown
        self._interrupts = 0
        self._standstill: Standstill | None = None
        if idle_seconds is not None:
            self._standstill = Standstill(self._process.pid, idle_seconds)
        if not shown:
            os.set_blocking(self.stderr, False)

    @property
    def stderr(self) -> int:
        """The descriptor from which `lines` reads."""
        assert self._process.stderr is not None
        return self._process.stderr.fileno()

    def interrupt(self) -> None:
        """Ask for what it has; a second time, end it."""
        self._interrupts += 1
        if self._interrupts > 1:
            self.kill()
        elif self._process.poll() is None:
            system.interrupt(self._process)

    def kill(self) -> None:
        """End it and its children."""
        system.kill(self._process)
        self._process.wait()

    def end(self, seconds: float) -> None:
        """Have it end by itself, as after Ctrl-C, within `seconds`; then `kill` what is left."""
        try:
            if seconds and self._process.poll() is None:
                system.interrupt(self._process)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(seconds)
        finally:  # a second Ctrl-C ends the waiting
            self.kill()

    def wait(self, seconds: float) -> None:
        """Until it says something or ends, but no longer than about `seconds`."""
        if self._closed:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        else:
            system.wait_readable(self.stderr, seconds)

    def lines(self) -> list[str]:
        """What it has said since the last time, as far as lines are whole."""
        data = b""
        try:
            # Not until it is empty: who says more than can be passed on would keep us for ever.
            for _ in range(_READS):
                if self._closed:
                    break
                piece = os.read(self.stderr, AT_ONCE)
                data += piece
                self._closed = not piece
        except BlockingIOError:
            pass
        if data and self._standstill:
            self._standstill.heard()
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._rest and (self._closed or len(self._rest) > AT_ONCE):
            lines, self._rest = [*lines, self._rest], b""
        return [line.decode(errors="replace") for line in lines]

    def is_over(self) -> bool:
        """Whether it has ended. Its stderr closes first; a child of its may keep that open."""
        if self._closed:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_CLOSING_SECONDS)
        return self._process.poll() is not None

    def fault(self) -> str | None:
        """Why it has to be ended, in words that go on after its name; ask every few seconds."""
        if os.fstat(self._answer.fileno()).st_size > MAX_ANSWER_BYTES:
            return f"answers with more than {MAX_ANSWER_BYTES >> 20} MiB, and was ended"
        reason = self._standstill.reason() if self._standstill else None
        return reason and f"{reason}, and was ended; that machine's kernel log may say why (dmesg)"

    def ended(self) -> tuple[int, bytes]:
        """How it ended, as `subprocess` has it: negative is a signal; and all of its stdout."""
        self._answer.seek(0)
        answer = self._answer.read()
        self._answer.close()
        if self._process.stderr is not None:
            self._process.stderr.close()
        return self._process.wait(), answer


def _memory() -> IO[bytes]:
    """A file without a name: pipes could fill up, and a phone has no folder for such files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("process"), "w+b")
    return tempfile.TemporaryFile()
