"""Count what one inference of an artifact takes on an emulated machine."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import msgspec

from shufflenet_deploy.bench.counted import Counted
from shufflenet_deploy.bench.emulation.machine import READINGS, Machine
from shufflenet_deploy.bench.emulation.readings import between, parse
from shufflenet_deploy.runtime.errors import BenchError, ProcessError
from shufflenet_deploy.runtime.worker.client import COUNTING, run
from shufflenet_deploy.runtime.worker.counting import Counting, Request


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
    try:
        said = run(
            machine.counting_command(COUNTING, caches),
            msgspec.json.encode(asked),
            who="the emulated program",
            stopped=(stop or threading.Event()).is_set,
            grace_seconds=0.0,  # what it counts is nothing until it is done
        )
        counting = msgspec.json.decode(said, type=Counting)
        readings = parse((machine.folder / READINGS).read_text())
    except ProcessError as error:
        raise BenchError(str(error), usage=error.usage) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        raise BenchError(f"counting {placed}: its answer cannot be read: {error}") from None
    return Figures(counting, between(readings, asked.empty, asked.inferences, simulated))
