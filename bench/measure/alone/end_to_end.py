"""From an image file to a label: what an application waits for, of which inference is a part."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from shufflenet_deploy.bench.devices import Device
from shufflenet_deploy.bench.documents import END_TO_END, load
from shufflenet_deploy.bench.measure.artifacts import Subject
from shufflenet_deploy.bench.measure.protocol import Report, Step
from shufflenet_deploy.bench.measure.records import no_room, same_bytes
from shufflenet_deploy.bench.results import Parameters, Target
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import shown
from shufflenet_deploy.runtime.images.stages import STAGES
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.worker.spec import ModelAnswer, Spec, StageTimes

_VERSION = 1
PROCESSES, RUNS = 5, 20
"""Worker processes of each model, and how often each of them labels the image."""


class Labelled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model with one number of threads."""

    model: str
    """The name of the model's file."""
    sha256: str
    engine: str
    engine_version: str
    threads: int
    processes: tuple[StageTimes, ...]
    """What each worker process measured."""


class EndToEnd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models that labelled one image on one device."""

    version: Literal[1] = 1
    created: str
    """When the measurement was over, as ISO 8601 has it."""
    target: Target
    environment: Environment
    image: str
    """The name of the image's file."""
    image_size: tuple[int, int]
    """Its height and width in pixels."""
    cores: tuple[int, ...]
    models: tuple[Labelled, ...]


def end_to_end(
    device: Device,
    target: Target,
    environment: Environment,
    subjects: Sequence[Subject],
    parameters: Parameters,
    image: Path,
    image_size: tuple[int, int],
    report: Report,
) -> EndToEnd:
    """Have each of `subjects` label `image` with each number of threads, in turns of processes.

    `image_size` is its height and width in pixels. Raises `BenchError` for one that has no manifest
    or does not fit the memory, and where it is interrupted.
    """
    for subject in subjects:
        if subject.manifest is None:
            raise BenchError(
                f"--end-to-end: {subject.path} has no manifest, so its preprocessing is unknown: "
                "leave it out",
                usage=True,
            )
    placed = device.put(image)
    specs = [
        (
            subject,
            Spec(
                artifacts=(device.put(subject.path),),
                engines=(subject.engine,),
                threads=threads,
                cores=parameters.cores,
                image=placed,
                label_runs=RUNS,
            ),
        )
        for threads in parameters.threads
        for subject in subjects
    ]
    measured: list[list[ModelAnswer]] = [[] for _ in specs]
    for process in range(PROCESSES):
        for (subject, spec), answers in zip(specs, measured, strict=True):
            step = Step(f"{subject.path.name}, process {process + 1} of {PROCESSES}", None)
            answer = device.run(spec, partial(report, step))
            if answer.skipped:
                raise BenchError(no_room(answer))
            (model,) = answer.models
            if answer.stopped == "interrupted" or model.labelled is None:
                raise BenchError("interrupted: it is whole or nothing")
            same_bytes(subject.path, subject.sha256, model)
            _require_stages(model.labelled)
            answers.append(model)
    return EndToEnd(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=target,
        environment=environment,
        image=shown(image.name),
        image_size=image_size,
        cores=parameters.cores,
        models=tuple(
            Labelled(
                model=shown(subject.path.name),
                sha256=subject.sha256,
                engine=answers[0].engine,
                engine_version=answers[0].engine_version,
                threads=spec.threads,
                processes=tuple(model.labelled for model in answers if model.labelled),
            )
            for (subject, spec), answers in zip(specs, measured, strict=True)
        ),
    )


def _require_stages(times: StageTimes) -> None:
    """Raise `BenchError` where a device, or a file, has other stages than these."""
    runs = {len(of_stage) for of_stage in times.stages_ns.values()}
    if tuple(times.stages_ns) != STAGES or len(runs) != 1 or 0 in runs:
        raise BenchError(
            "the times of the stages are not those of this shufflenet-deploy: measure again"
        )


def read(path: Path) -> EndToEnd:
    """Read what was measured. Raises `BenchError` as `documents.load` does."""
    found = load(path, END_TO_END, EndToEnd, _VERSION, "measure again")
    for model in found.models:
        if not model.processes:
            raise BenchError(f"{path} holds a model that no process measured: measure again")
        for times in model.processes:
            _require_stages(times)
    return found
