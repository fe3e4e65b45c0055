"""Carry out a `Spec` on this machine: load, check, warm up, then rounds of bursts.

Why bursts: models that run one after another, each in one long block, see a machine that
drifts, and their ratio with it. Models that alternate at each run see each other's caches.
Rounds of short bursts, in an order that is shuffled each time, see neither.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime import InferenceError
from shufflenet_deploy.runtime.artifact import Artifact, Manifest
from shufflenet_deploy.runtime.memory import peak_memory_bytes
from shufflenet_deploy.runtime.preprocess import network_input
from shufflenet_deploy.runtime.seeded import Floats, seeded_pixels
from shufflenet_deploy.runtime.session import Session, opener_for
from shufflenet_deploy.runtime.spec import Answer, Burst, ModelAnswer, Progress, Spec

Clock = Callable[[], int]
"""Nanoseconds, never going back."""
Run = Callable[[], object]
Report = Callable[[Progress], None]


@dataclass
class _Loaded:
    """A model that is ready to be timed, and what loading it cost."""

    artifact: Artifact
    session: Session
    images: NDArray[Any]
    load_ns: int
    first_run_ns: int
    difference: float
    peak_memory_bytes: int | None
    bursts: list[Burst] = field(default_factory=list)

    def run(self) -> object:
        return self.session.run(self.images)

    def answer(self) -> ModelAnswer:
        return ModelAnswer(
            artifact=str(self.artifact.path),
            sha256=self.artifact.manifest.sha256,
            engine=self.session.engine,
            engine_version=self.session.engine_version,
            delegate_partitions=self.session.delegate_partitions,
            load_ns=self.load_ns,
            first_run_ns=self.first_run_ns,
            difference=self.difference,
            peak_memory_bytes=self.peak_memory_bytes,
            bursts=tuple(self.bursts),
        )


def carry_out(spec: Spec, clock: Clock, report: Report) -> Answer:
    """Measure what `spec` asks for.

    A KeyboardInterrupt after the models are loaded ends the block early, with what is there.
    Raises `InferenceError` for an artifact that is not what its manifest says, that no engine
    runs, or that computes something else here than where it was exported.
    """
    models: list[_Loaded] = []
    for index, path in enumerate(spec.artifacts):
        report(Progress(stage="load", done=index, total=len(spec.artifacts)))
        models.append(_load(Path(path), spec.threads, clock))
    interrupted = False
    try:
        runs = [model.run for model in models]
        _warm_up(runs, spec.warm_up, report)
        for model, burst in rounds(runs, spec, clock, report):
            models[model].bursts.append(burst)
    except KeyboardInterrupt:
        interrupted = True
    return Answer(
        threads=spec.threads,
        interrupted=interrupted,
        models=tuple(model.answer() for model in models),
    )


def rounds(
    runs: Sequence[Run], spec: Spec, clock: Clock, report: Report
) -> Iterator[tuple[int, Burst]]:
    """Yield (index of the model, its burst) as they are measured, `spec.rounds` times each.

    The garbage collector rests meanwhile, as in timeit: its pauses are not the model's.
    """
    order = list(range(len(runs)))
    shuffle = random.Random(spec.seed).shuffle
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in range(spec.rounds):
            report(Progress(stage="round", done=number, total=spec.rounds))
            shuffle(order)
            for position, model in enumerate(order):
                yield model, _burst(runs[model], number, position, spec, clock)
        report(Progress(stage="round", done=spec.rounds, total=spec.rounds))
    finally:
        if collecting:
            gc.enable()


def _burst(run: Run, number: int, position: int, spec: Spec, clock: Clock) -> Burst:
    cold_ns = _time(run, clock) if spec.untimed else None
    for _ in range(spec.untimed - 1):
        run()
    samples = tuple(_time(run, clock) for _ in range(spec.timed))
    return Burst(round=number, position=position, cold_ns=cold_ns, samples_ns=samples)


def _time(run: Run, clock: Clock) -> int:
    start = clock()
    run()
    return clock() - start


def _warm_up(runs: Sequence[Run], times: int, report: Report) -> None:
    for index, run in enumerate(runs):
        report(Progress(stage="warm up", done=index, total=len(runs)))
        for _ in range(times):
            run()


def _load(path: Path, threads: int, clock: Clock) -> _Loaded:
    artifact = Artifact.open(path)
    manifest = artifact.manifest
    check = manifest.self_check
    images = network_input(seeded_pixels(1, manifest.options.input_size, check.seed), manifest)
    opener = opener_for(path)  # imports the engine, which is not part of loading a model
    start = clock()
    session = opener(path, threads)
    loaded = clock()
    try:
        logits = session.run(images)
    except Exception as error:  # noqa: BLE001 - engines' exceptions share no other base
        raise InferenceError(f"{path} does not run on {session.engine}: {error}") from None
    ran = clock()
    return _Loaded(
        artifact=artifact,
        session=session,
        images=images,
        load_ns=loaded - start,
        first_run_ns=ran - loaded,
        difference=self_check(manifest, logits),
        peak_memory_bytes=peak_memory_bytes(),
    )


def self_check(manifest: Manifest, logits: Floats) -> float:
    """The difference of `logits` (1, classes) from the manifest's, as `SelfCheck` defines it.

    Raises `InferenceError` where it is beyond the manifest's tolerance.
    """
    check = manifest.self_check
    if logits.shape != (1, len(check.logits)):
        raise InferenceError(
            f"{manifest.file_name} answers {logits.shape} where its manifest has "
            f"{len(check.logits)} logits: export the network again"
        )
    difference = float(np.abs(logits[0] - np.asarray(check.logits)).max() / check.deviation)
    if not difference <= check.tolerance:  # so written, a NaN fails too
        raise InferenceError(
            f"{manifest.file_name} computes something else here than where it was exported: its "
            f"logits differ by {difference:.1e}, allowed is {check.tolerance:.0e}; "
            "a time of it would mean nothing"
        )
    return difference
