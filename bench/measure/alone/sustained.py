"""One model without pause for minutes: what a device keeps up, and from when on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from shufflenet_deploy.bench.devices import Device
from shufflenet_deploy.bench.documents import SUSTAINED, load
from shufflenet_deploy.bench.measure.artifacts import Subject
from shufflenet_deploy.bench.measure.inputs import placed, require_used
from shufflenet_deploy.bench.measure.protocol import Report, Step
from shufflenet_deploy.bench.measure.records import no_room, same_bytes
from shufflenet_deploy.bench.results import Parameters, Target
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import named, shown
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.worker.spec import Spec, Window

_VERSION = 1


class SustainedLoad(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of one model that was run without pause."""

    version: Literal[1] = 1
    created: str
    """When the measurement was over, as ISO 8601 has it."""
    target: Target
    environment: Environment
    model: str
    """The name of the model's file."""
    sha256: str
    engine: str
    engine_version: str
    threads: int
    cores: tuple[int, ...]
    """Those to which the worker was pinned; none left it to the system."""
    asked_seconds: float
    interrupted: bool
    """Whether it was ended before that."""
    windows: tuple[Window, ...]


def sustained(
    device: Device,
    target: Target,
    environment: Environment,
    subjects: Sequence[Subject],
    parameters: Parameters,
    minutes: float,
    report: Report,
) -> SustainedLoad:
    """Run the one of `subjects` for `minutes`.

    On Ctrl-C it has what was measured until then. Raises `BenchError` for several models or
    numbers of threads, for one that does not fit the memory, and KeyboardInterrupt before the
    first window is over.
    """
    if len(subjects) != 1 or len(parameters.threads) != 1:
        raise BenchError(
            f"--sustained runs one model with one number of threads, not {len(subjects)} with "
            f"{len(parameters.threads)}: name one file, and one --engine",
            usage=True,
        )
    (subject,), (threads,) = subjects, parameters.threads
    spec = Spec(
        artifacts=(device.put(subject.path),),
        engines=(subject.engine,),
        inputs=placed(parameters.inputs, lambda path: device.put(named(path))),
        threads=threads,
        cores=parameters.cores,
        sustained_seconds=minutes * 60,
    )
    answer = device.run(spec, partial(report, Step(f"sustained: {subject.path.name}", None)))
    if answer.skipped:
        raise BenchError(no_room(answer))
    (model,) = answer.models
    same_bytes(subject.path, subject.sha256, model)
    require_used(parameters.inputs, [model.inputs])
    if not model.windows:
        raise KeyboardInterrupt
    return SustainedLoad(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=target,
        environment=environment,
        model=shown(subject.path.name),
        sha256=subject.sha256,
        engine=model.engine,
        engine_version=model.engine_version,
        threads=threads,
        cores=parameters.cores,
        asked_seconds=minutes * 60,
        interrupted=answer.stopped == "interrupted",
        windows=model.windows,
    )


def read(path: Path) -> SustainedLoad:
    """Read a sustained load. Raises `BenchError` as `documents.load` does."""
    found = load(path, SUSTAINED, SustainedLoad, _VERSION, "measure again")
    if not found.windows:
        raise BenchError(f"{path} holds a sustained load without any window: measure again")
    return found
