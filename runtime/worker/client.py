"""Whoever starts a process of ours: a worker, another program on its machine, or a command.

A command's prefix says where: this Python, an emulated one, or whatever gets to a device. Such a
process never outlives the one that started it and was ended: by Ctrl-C, SIGTERM, SIGHUP or an
error, it is interrupted, so that it ends what it has started in turn, and then killed.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import msgspec

from shufflenet_deploy.runtime.endings import DONE
from shufflenet_deploy.runtime.errors import ProcessError
from shufflenet_deploy.runtime.system import ENDING_SIGNALS
from shufflenet_deploy.runtime.worker.isolation import PREFIX, module_command
from shufflenet_deploy.runtime.worker.process import Process
from shufflenet_deploy.runtime.worker.protocol import Listener, Report, decode_answer
from shufflenet_deploy.runtime.worker.spec import Answer, Progress, Spec

WORKER = "shufflenet_deploy.runtime"
AGENT = "shufflenet_deploy.runtime.agent"
COUNTING = "shufflenet_deploy.runtime.worker.counting"
EXPORT = "shufflenet_deploy.export"
EVALUATION = "shufflenet_deploy.bench.commands.evaluate"
"""The modules that are started as processes, from `WORKER` on. `EXPORT` and `EVALUATION` are of
packages that this one does not import: they meet only so, and through files."""

GRACE_SECONDS = 10.0
"""How long an interrupted process has to put away what it has begun."""
_LOOK_SECONDS = 0.5


def _unheard(progress: Progress) -> None:
    """Report to nobody."""


def run_worker(spec: Spec, prefix: Sequence[str] = PREFIX, report: Report = _unheard) -> Answer:
    """Have a new worker carry out `spec`, with the Python that `prefix` starts.

    `report` is called as it progresses. Raises `ProcessError` where the worker fails or dies, and
    KeyboardInterrupt.
    """
    question = msgspec.json.encode(spec)
    command = module_command(WORKER, prefix)
    said = run(command, question, report=report, idle_seconds=spec.rest_seconds)
    return decode_answer(said, spec)


def run(
    command: Sequence[str],
    question: bytes = b"",
    *,
    who: str = "the worker",
    report: Report = _unheard,
    shown: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    grace_seconds: float = GRACE_SECONDS,
    idle_seconds: float | None = None,
) -> bytes:
    """Run `command` with `question` on its stdin; its stdout.

    Raises `ProcessError` about `who` where it fails or dies, or has to be ended (`idle_seconds` as
    `Process` has it), OSError where it is no program, and KeyboardInterrupt, also once `stopped`
    says so. Where its stderr is `shown`, it is this process's, and no reason is known; else that
    reports progress, and the last line the reason.
    """
    listener = Listener(report)
    with _leaving_by_exception():
        process = Process(command, question, shown, idle_seconds)
        try:
            while not process.is_over():
                if stopped():
                    raise KeyboardInterrupt
                process.wait(_LOOK_SECONDS)
                for line in process.lines():
                    listener.hear(line)
                if fault := process.fault():
                    process.kill()
                    raise ProcessError(f"{who} {fault}")
            for line in process.lines():
                listener.hear(line)
        except BaseException:
            process.end(grace_seconds)
            process.ended()
            raise
    code, answer = process.ended()
    if code != DONE:
        raise listener.failure(who, code)
    return answer


@contextmanager
def _leaving_by_exception() -> Iterator[None]:
    """Have the signals that end a process do so by SystemExit, unless they are taken already.

    What starts processes in another thread than the main one has to see to that itself.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
