"""The host's end of an agent: one for a session on a device, whatever the way to it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import IO

import msgspec

from shufflenet_deploy.runtime.agent.protocol import (
    AGENT_SILENCE_SECONDS,
    ALIVE_SECONDS,
    Alive,
    Begin,
    Busy,
    Ended,
    FromAgent,
    Interrupt,
    Ready,
    Said,
    ToAgent,
    Work,
)
from shufflenet_deploy.runtime.endings import KILLED
from shufflenet_deploy.runtime.errors import BenchError, ProcessError
from shufflenet_deploy.runtime.worker.isolation import isolated_environment
from shufflenet_deploy.runtime.worker.process import AT_ONCE
from shufflenet_deploy.runtime.worker.protocol import Listener, Report, decode_answer
from shufflenet_deploy.runtime.worker.spec import Answer, Spec

_LEAVE_SECONDS = 15.0
"""Seconds that an agent may take to end the worker and put the governor back, sudo included."""
_LAST_LINES = 40
_FIRST_SECONDS = 60.0
"""How long an agent may take to say its first word: a slow card has to load Python."""
_MOST_NOISE = 10_000
"""How many lines a shell may print before that."""
_LONGEST_LINE, _LONGEST_REMARK = 1 << 25, 1 << 12
"""Bytes of a message, which may hold all samples of a process, and of a line on stderr."""
_PAUSE_SECONDS = 0.01
_WAITING_LINES = 1000
"""How many lines are kept until they are taken; then the link itself has to wait."""
_MESSAGE = b'{"type":"'
"""The bytes with which every message of an agent begins."""
Failure = Callable[[int, str], BenchError | None]
"""Takes the exit code of the command to the agent and all it said on stderr; returns what that
means, or None where it does not tell."""


class DeviceLostError(BenchError):
    """The device went away in the middle; what was measured before stands."""


class WorkerFailedError(BenchError):
    """A worker failed or died; the device is there, and another worker may do better."""


class AgentUnstartedError(BenchError):
    """The way was there, and what should have been the agent ended before it said a word."""


class AgentClient:
    """A session on a device that `command` reaches, a process with an agent at its other end.

    Raises `BenchError` where there is no agent to be had, or the device is taken.
    """

    def __init__(
        self,
        command: Sequence[str],
        name: str,
        failure: Failure,
        begin: Begin,
        preface: bytes = b"",
    ) -> None:
        self._name = name
        self._failure = failure
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Neither the terminal's Ctrl-C nor its questions are for this process.
            start_new_session=True,
            env=isolated_environment(),
        )
        self._remarks: deque[str] = deque(maxlen=_LAST_LINES)
        # Heard by a thread: what Ctrl-C interrupts while it reads a line has lost half of it.
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._heard_bytes = 0
        self._listeners = [
            threading.Thread(target=listen, daemon=True) for listen in (self._hear, self._listen)
        ]
        for listener in self._listeners:
            listener.start()
        self._started = False
        self._sending = threading.Lock()
        self._closed = threading.Event()
        try:
            self._write(preface)
            self._send(begin)
            first = self._first()
            if isinstance(first, Busy):
                raise BenchError(
                    f"{name} is taken by {first.holder}: wait until it is free, or end that there"
                )
            if not isinstance(first, Ready):
                raise self._out_of_turn(first)
        except BaseException:
            self.close()
            raise
        self._started = True
        self.notes = first.notes
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def run(self, spec: Spec, report: Report) -> Answer:
        """Have a new worker carry out `spec`; see `Device.run`."""
        self._send(Work(spec=msgspec.Raw(msgspec.json.encode(spec))))
        listener = Listener(report)
        ended, interrupted = self._follow(listener)
        if interrupted and ended.code:
            raise KeyboardInterrupt
        try:
            if ended.code:
                raise listener.failure("the worker", ended.code)
            answer = decode_answer(ended.answer, spec)
        except ProcessError as error:
            raise WorkerFailedError(str(error), usage=error.usage) from None
        # Ctrl-C may have come too late for the worker; who pressed it wants an end all the same.
        return msgspec.structs.replace(answer, stopped="interrupted") if interrupted else answer

    def close(self) -> None:
        """Let the device go. A worker that still runs is ended by the agent."""
        self._closed.set()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for listener in self._listeners:
            listener.join(1.0)

    def _follow(self, listener: Listener) -> tuple[Ended, bool]:
        """Hear the worker out; its end, and whether Ctrl-C came."""
        interrupted = False
        while True:
            try:
                message = self._receive()
                if isinstance(message, Ended):
                    return message, interrupted
                if isinstance(message, Said):
                    listener.hear(message.line)
                elif not isinstance(message, Alive):
                    raise self._out_of_turn(message)
            except KeyboardInterrupt:
                self._send(Interrupt())
                if interrupted:  # the second: do not wait for the answer
                    raise
                interrupted = True
            except BaseException:
                with contextlib.suppress(BenchError):
                    self._send(Interrupt())
                    self._send(Interrupt())  # at once, or closing would wait for all its rounds
                raise

    def _first(self) -> FromAgent:
        """The agent's first message. A shell may print before, such as what ~/.bashrc has."""
        said = ""
        end = time.monotonic() + _FIRST_SECONDS
        for _ in range(_MOST_NOISE):
            try:
                line = self._lines.get(timeout=max(end - time.monotonic(), 0.0))
            except Empty:
                break
            if not line:
                raise self._ended(said)
            self._require_end(line)
            begin = line.find(_MESSAGE)
            if begin >= 0:
                return self._decode(line[begin:])
            said = _shown(line) or said
        raise BenchError(
            f"{self._name} does not begin to speak as the agent of shufflenet-deploy does, within "
            f"{_FIRST_SECONDS:.0f} s and {_MOST_NOISE} lines"
            + (f"; it says {said!r}" if said else "")
        )

    def _require_end(self, line: bytes) -> None:
        if len(line) >= _LONGEST_LINE:
            raise BenchError(
                f"{self._name} says a line without an end, beginning with {_shown(line[:200])!r}: "
                "that is no agent of shufflenet-deploy"
            )

    def _out_of_turn(self, message: FromAgent) -> BenchError:
        return BenchError(
            f"{self._name} says {type(message).__name__!r} out of turn: its agent is not that of "
            "shufflenet-deploy, or broken"
        )

    def _receive(self) -> FromAgent:
        line = self._next_line()
        self._require_end(line)
        if not line.endswith(b"\n"):
            self._lines.put(b"")  # for who asks again
            raise self._ended()
        return self._decode(line)

    def _next_line(self) -> bytes:
        # Piece by piece: of the time that this process was stopped, by Ctrl-Z, one is over at once,
        # and in the next what the agent said meanwhile is heard.
        silent_seconds, before = 0.0, self._heard_bytes
        while silent_seconds < AGENT_SILENCE_SECONDS:
            with contextlib.suppress(Empty):
                return self._lines.get(timeout=ALIVE_SECONDS)
            silent_seconds = silent_seconds + ALIVE_SECONDS if self._heard_bytes == before else 0.0
            before = self._heard_bytes
        raise DeviceLostError(
            f"{self._name} has fallen silent: its agent, which says a word every "
            f"{ALIVE_SECONDS:.0f} s, said none for {AGENT_SILENCE_SECONDS:.0f}; see whether it "
            "still answers"
        )

    def _decode(self, line: bytes) -> FromAgent:
        try:
            message: FromAgent = msgspec.json.decode(line, type=FromAgent)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise BenchError(
                f"{self._name} says {_shown(line)!r}, where the agent of shufflenet-deploy should "
                "speak: it must print nothing by itself (see ~/.bashrc there)"
            ) from None
        return message

    def _send(self, message: ToAgent) -> None:
        self._write(msgspec.json.encode(message) + b"\n")

    def _write(self, data: bytes) -> None:
        stdin: IO[bytes] | None = self._process.stdin
        assert stdin is not None
        try:
            with self._sending:
                stdin.write(data)
                stdin.flush()
        except (OSError, ValueError):  # closed
            raise self._ended() from None

    def _ended(self, printed: str = "") -> BenchError:
        """What it means that the agent is no longer there; `printed` is no message of it."""
        try:
            code = self._process.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            code = -KILLED
        for listener in self._listeners:
            listener.join(1.0)
        said = "\n".join(self._remarks)
        error = self._failure(code, said)
        if error is not None:
            return error
        last = self._remarks[-1] if self._remarks else printed or f"exit code {code}"
        if not self._started:
            return AgentUnstartedError(last)
        return DeviceLostError(f"{self._name} went away in the middle ({last})")

    def _hear(self) -> None:
        rest = bytearray()
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            # Not by lines: an answer takes minutes on a slow link, and is a sign of life meanwhile.
            while len(rest) < _LONGEST_LINE and (piece := os.read(stdout.fileno(), AT_ONCE)):
                self._heard_bytes += len(piece)
                *lines, last = piece.split(b"\n")
                for line in lines:
                    if not self._keep(bytes(rest) + line + b"\n"):
                        return
                    rest.clear()
                rest += last
        if rest:
            self._lines.put(bytes(rest))
        self._lines.put(b"")

    def _keep(self, line: bytes) -> bool:
        """Keep a line until it is taken; False where nobody takes any more."""
        while self._lines.qsize() > _WAITING_LINES:
            if self._closed.wait(_PAUSE_SECONDS):
                return False
        self._lines.put(line)
        return True

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            while line := stderr.readline(_LONGEST_REMARK):
                if text := line.decode(errors="replace").strip():
                    self._remarks.append(text)

    def _beat(self) -> None:
        while not self._closed.wait(ALIVE_SECONDS):
            with contextlib.suppress(BenchError):
                self._send(Alive())


def this_host() -> str:
    """How this host is called, for others who find a device taken."""
    return socket.gethostname() or "another host"


def _shown(line: bytes) -> str:
    return " ".join(line.decode(errors="replace").split())[:200]
