"""Count what one inference of an artifact takes on an emulated machine."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from shufflenet_deploy.bench.counted import Counted
from shufflenet_deploy.bench.emulation.machine import READINGS, Machine
from shufflenet_deploy.bench.emulation.readings import between, parse
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.worker.counting import Counting, Request

_PROGRAM = "shufflenet_deploy.runtime.worker.counting"
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Figures:
    """One artifact on one machine."""

    counting: Counting
    counted: Counted


def count(
    machine: Machine,
    placed: str,
    caches: bool = False,
    stop: threading.Event | None = None,
    request: Request | None = None,
) -> Figures:
    """Run what `machine` has `placed`, check what it computes, and count its inferences.

    With `caches` the data caches are simulated, which takes several times as long. `stop` ends it
    early, with KeyboardInterrupt. Raises `BenchError` where the artifact does not run there or
    computes something else than on the exporting host.
    """
    asked = msgspec.structs.replace(request or Request(artifact=""), artifact=placed)
    simulated = machine.processor.caches if caches else None
    command = machine.counting_command(_PROGRAM, caches)
    said = _run(command, msgspec.json.encode(asked), stop or threading.Event())
    try:
        counting = msgspec.json.decode(said, type=Counting)
        readings = parse((machine.folder / READINGS).read_text())
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise BenchError(f"counting {placed}: its answer cannot be read: {error}") from None
    return Figures(counting, between(readings, asked.empty, asked.inferences, simulated))


def _run(command: Sequence[str], question: bytes, stop: threading.Event) -> bytes:
    """The standard output of `command`."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # the terminal's Ctrl-C is for us alone
    )
    with process:
        rest: bytes | None = question
        try:
            while not stop.is_set():
                try:
                    said, complained = process.communicate(rest, _POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    rest = None  # it is kept from the first time, and must not be given again
                    continue
                if process.returncode:
                    raise _failure(process.returncode, complained)
                return said
            raise KeyboardInterrupt
        except BaseException:
            process.kill()
            raise


def _failure(code: int, complained: bytes) -> BenchError:
    lines = complained.decode(errors="replace").strip().splitlines()
    for line in lines:
        if line.startswith("error: "):
            return BenchError(line.removeprefix("error: "))
    ending = f"exit code {code}"
    if code < 0:
        known = -code in signal.valid_signals()
        ending = signal.Signals(-code).name if known else f"signal {-code}"
    last = f"its last line: {lines[-1]}" if lines else "it said nothing"
    return BenchError(f"the emulated program died ({ending}); {last}")
