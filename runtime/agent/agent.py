"""The agent: ``python -m shufflenet_deploy.runtime.agent FOLDER``, one for a host's session.

It takes the device for the host at the other end of its standard input and output, starts workers
as it is told, and passes on what they say. It is here, on the device, so that whatever becomes of
the host and the way to it, the worker is ended, the governor put back and the lock free: its
standard input ends or falls silent, and it cleans up. Messages are those of `protocol`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import msgspec

from shufflenet_deploy.runtime.agent.copied import Copied, own_folders
from shufflenet_deploy.runtime.agent.lock import (
    DeviceTakenError,
    Lock,
    MachineLock,
    shared_folder,
)
from shufflenet_deploy.runtime.agent.protocol import (
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
from shufflenet_deploy.runtime.endings import FAILED, error_line
from shufflenet_deploy.runtime.machine.governor import Governor
from shufflenet_deploy.runtime.machine.reading import ROOT
from shufflenet_deploy.runtime.worker.client import WORKER
from shufflenet_deploy.runtime.worker.isolation import module_command
from shufflenet_deploy.runtime.worker.process import AT_ONCE, Process

LAUNCH = "SHUFFLENET_DEPLOY_LAUNCH"
"""The environment variable in which a bundle, whose Python cannot be started alone, names its
`launch`."""
_LOOK_SECONDS = 2.0
"""How often the agent looks up from waiting: for silence, or a worker whose stderr outlives it."""


class _Known(msgspec.Struct):
    """Of a `Spec`, which the agent passes on as it is, what it needs itself."""

    artifacts: tuple[str, ...] = ()
    rest_seconds: float = 0.0


class Agent:
    """Reads messages from one descriptor and writes to another, until the first ends.

    `clock` counts the seconds that the host is silent for.
    """

    def __init__(
        self,
        folder: Path,
        incoming: int,
        outgoing: int,
        system: Path = ROOT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._incoming, self._outgoing = incoming, outgoing
        self._governor = Governor(folder / "governor.json", system)
        self._selector = selectors.DefaultSelector()
        self._input, self._output = b"", b""
        self._clock = clock
        self._heard = self._said = clock()
        self._begin: Begin | None = None
        self._lock: Lock | None = None
        self._machine: MachineLock | None = None
        self._copied: Copied | None = None
        self._worker: Process | None = None
        self._ending = False

    def serve(self) -> None:
        """Serve the host until it goes; then leave the device as it was."""
        os.set_blocking(self._outgoing, False)  # a link that hangs must not stop the clean-up
        self._selector.register(self._incoming, selectors.EVENT_READ, self._receive)
        try:
            while not self._ending or (self._output and not self._silent()):
                for key, _ in self._selector.select(_LOOK_SECONDS):
                    key.data()
                if self._worker:
                    self._look_at(self._worker)
                self._say_alive()
                if self._silent():
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self._clean_up()

    def _silent(self) -> bool:
        limit = self._begin.silence_seconds if self._begin else None
        return limit is not None and self._clock() - self._heard > limit

    def _clean_up(self) -> None:
        if self._worker:
            self._worker.kill()
        if self._lock or (self._begin and self._begin.prepare):
            for reason in self._governor.restore():
                with contextlib.suppress(OSError):  # the link may be gone
                    sys.stderr.write(f"{reason}\n")
        if self._copied:
            self._copied.prune()

    def _receive(self) -> None:
        data = os.read(self._incoming, AT_ONCE)
        if not data:
            self._ending = True
            self._output = b""
            self._selector.unregister(self._incoming)
            return
        self._heard = self._clock()
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            self._do(msgspec.json.decode(line, type=ToAgent))
            self._heard = self._clock()  # it was not the host that was slow

    def _do(self, message: ToAgent) -> None:
        match message:
            case Begin():
                self._take(message)
            case Work(spec=spec):
                assert self._begin is not None
                known = msgspec.json.decode(spec, type=_Known)
                if self._copied:
                    self._copied.use(known.artifacts)
                command = self._begin.worker or _own_worker()
                self._worker = Process(command, bytes(spec), idle_seconds=known.rest_seconds)
                self._selector.register(self._worker.stderr, selectors.EVENT_READ, self._listen)
            case Interrupt():
                if self._worker:
                    self._worker.interrupt()
            case Alive():
                pass

    def _take(self, begin: Begin) -> None:
        self._begin = begin
        try:
            notes = self._lock_both(begin)
        except DeviceTakenError as taken:
            self._send(Busy(holder=str(taken)))
            self._begin, self._ending = None, True
            return
        if self._lock:
            # A forerunner may have been killed.
            notes += (f"left from before: {reason}" for reason in self._governor.restore())
            # What was there when the host looked is removed only once it needs nothing more.
            self._copied = Copied(self._folder, begin.clock or time.time())
            self._copied.use(own_folders())
        if begin.prepare:
            notes.append(self._governor.prepare())
        self._send(Ready(notes=tuple(notes)))

    def _lock_both(self, begin: Begin) -> list[str]:
        """Take this user's lock and the machine's; what the user should know of one that fails.

        First this user's own, which tells more of its holder.
        """
        notes = []
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(self._folder / "lock", begin.host)
        except OSError as error:
            notes.append(
                f"nothing keeps others off this device: cannot write to {self._folder}: "
                f"{error.strerror}"
            )
        shared = shared_folder() if begin.machine else None
        if shared is None:
            return notes
        try:
            self._machine = MachineLock(shared)
        except DeviceTakenError:
            if self._lock:  # nothing here is ours to put back
                self._lock.release()
                self._lock = None
            raise
        except OSError as error:
            notes.append(
                f"nothing keeps other users off this device: {error.filename or shared}: "
                f"{error.strerror}"
            )
        return notes

    def _listen(self) -> None:
        assert self._worker is not None
        for line in self._worker.lines():
            self._send(Said(line=line))

    def _look_at(self, worker: Process) -> None:
        """Tell the host once it has ended; have it end where it does not by itself."""
        fault = None
        if not worker.is_over():
            fault = worker.fault()
            if fault is None:
                return
            worker.kill()
        self._listen()
        self._selector.unregister(worker.stderr)
        code, answer = worker.ended()
        if fault:
            self._send(Said(line=error_line(f"the worker {fault}")))
            code, answer = FAILED, b""
        self._send(Ended(code=code, answer=answer.decode(errors="replace")))
        self._worker = None

    def _say_alive(self) -> None:
        """Have the host know that somebody is here, unless there is more to say."""
        if self._begin and not self._output and self._clock() - self._said >= ALIVE_SECONDS:
            self._send(Alive())

    def _send(self, message: FromAgent) -> None:
        self._said = self._clock()
        if not self._output:
            self._selector.register(self._outgoing, selectors.EVENT_WRITE, self._flush)
        self._output += msgspec.json.encode(message) + b"\n"

    def _flush(self) -> None:
        self._output = self._output[os.write(self._outgoing, self._output) :]
        if not self._output:
            self._selector.unregister(self._outgoing)


def _own_worker() -> list[str]:
    """The worker's command, with the Python of this process."""
    launch = os.environ.get(LAUNCH)
    return module_command(WORKER, ["sh", launch] if launch else [sys.executable])


def _pass(number: int, frame: FrameType | None) -> None:
    """Do nothing. A signal that is ignored instead would be ignored by the workers too."""


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, _pass)  # a second one must not cut the clean-up short
    sys.exit(1)


def main() -> None:
    """Exit code 0 once the host has gone."""
    parser = argparse.ArgumentParser(prog="python -m shufflenet_deploy.runtime.agent")
    parser.add_argument("folder", type=Path, help="of all that is ours on this device")
    parser.add_argument("--system", type=Path, default=ROOT, help="where sysfs is [/]")
    options = parser.parse_args()
    agent = Agent(options.folder, sys.stdin.fileno(), sys.stdout.fileno(), options.system)
    # The end of the link may come as any of these; the end of standard input comes with it.
    signal.signal(signal.SIGHUP, _pass)
    signal.signal(signal.SIGINT, _pass)
    signal.signal(signal.SIGTERM, _leave)
    try:
        agent.serve()
    finally:
        # All is put back, and no worker is started any more. Python's own end would give these
        # their usual effect again, but for what is ignored.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
