"""Where the time of models goes: their engines' profilers, in runs of their own.

A profiler takes time itself, so that nothing here is a latency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from shufflenet_deploy.bench.devices import Device
from shufflenet_deploy.bench.documents import PROFILE, load
from shufflenet_deploy.bench.measure.artifacts import Subject
from shufflenet_deploy.bench.measure.inputs import placed, require_used
from shufflenet_deploy.bench.measure.protocol import Report, Step
from shufflenet_deploy.bench.measure.records import no_room
from shufflenet_deploy.bench.results import Parameters
from shufflenet_deploy.runtime.engines import find_engine
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import named
from shufflenet_deploy.runtime.profiling.profile import Profile
from shufflenet_deploy.runtime.worker.spec import Spec

RUNS = 50
"""The number of profiled runs of each model. Of an operator of 10 us the median then repeats to
some percent."""


class _Profiles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written: it has no version, as what cannot be read is soon profiled again."""

    profiles: tuple[Profile, ...]


def check_profilers(engines: Sequence[str]) -> None:
    """Raise `BenchError` where one of `engines`, by their names, offers no profiler."""
    for engine in map(find_engine, engines):
        if engine.profile is None:
            raise BenchError(f"--profile: {engine.title} has no profiler", usage=True)


def profiles(
    device: Device, subjects: Sequence[Subject], parameters: Parameters, report: Report
) -> Iterator[Profile]:
    """The profile of each of `subjects` with each number of threads, as they are made.

    Raises `BenchError` for one that does not fit the memory, and where it is interrupted.
    """
    inputs = placed(parameters.inputs, lambda path: device.put(named(path)))
    taken = []
    for threads in parameters.threads:
        for subject in subjects:
            spec = Spec(
                artifacts=(device.put(subject.path),),
                engines=(subject.engine,),
                inputs=inputs,
                rounds=0,
                threads=threads,
                cores=parameters.cores,
                profile_runs=RUNS,
            )
            step = Step(f"profile: {subject.path.name}", None)
            answer = device.run(spec, partial(report, step))
            if answer.skipped:
                raise BenchError(no_room(answer))
            if answer.stopped == "interrupted":
                raise BenchError("interrupted: a profile is whole or nothing")
            yield from answer.profiles
            taken += [model.inputs for model in answer.models]
    require_used(parameters.inputs, taken)


def encode(made: Sequence[Profile]) -> bytes:
    """The JSON document of profiles."""
    return msgspec.json.encode(_Profiles(profiles=tuple(made))) + b"\n"


def read(path: Path) -> tuple[Profile, ...]:
    """Read profiles. Raises `BenchError` as `documents.load` does."""
    return load(path, PROFILE, _Profiles, None, "profile again").profiles
