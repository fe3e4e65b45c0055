"""The order of a measurement: each model alone, then those of one format in turns.

Alone, in a worker of its own, because only so the time to load and the peak of memory are the
model's. In turns, in rounds of short bursts, because only so their ratios are not the drift of
the machine (`runtime.worker` says more). What comes here later, and changes nothing of the
parts: several workers for each block, cool-downs, an end at the wanted precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from msgspec.structs import replace

from shufflenet_deploy.bench import BenchError
from shufflenet_deploy.bench.devices import Device
from shufflenet_deploy.bench.results import Model, Parameters, Probe, Results
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.spec import Answer, ModelAnswer, Progress


@dataclass(frozen=True)
class Step:
    """One worker's share of the measurement."""

    title: str
    number: int
    """From 1."""
    of: int
    members: tuple[int, ...]
    """Indices of its artifacts."""
    rounds: int
    """0 for a model that is loaded alone."""


Report = Callable[[Step, Progress], None]


def begin(device: Device, parameters: Parameters) -> Results:
    """Results without models yet: when, where and how."""
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        device=device.kind,
        environment=device.environment(),
        parameters=parameters,
    )


def measure(
    device: Device, artifacts: Sequence[Artifact], begun: Results, report: Report
) -> Iterator[Results]:
    """Measure `artifacts`, and yield all that there is after each worker.

    Ends early, with results that are not `complete`, where a worker's answer says that it was
    interrupted. Raises KeyboardInterrupt and `BenchError` as `Device.run` does.
    """
    places = [device.put(artifact) for artifact in artifacts]
    results = begun
    for step in _steps(artifacts, begun.parameters.rounds):
        parameters = replace(begun.parameters, rounds=step.rounds)
        if not step.rounds:
            parameters = replace(parameters, warm_up=0)
        spec = parameters.spec(*(places[member] for member in step.members))
        answer = device.run(spec, partial(report, step))
        _check([artifacts[member] for member in step.members], answer)
        if step.rounds:
            results = _with_bursts(results, step, answer)
        else:
            model = _model(artifacts[step.members[0]], answer.models[0])
            results = replace(results, models=(*results.models, model))
        complete = step.number == step.of and not answer.interrupted
        results = replace(results, complete=complete)
        yield results
        if answer.interrupted:
            return


def _steps(artifacts: Sequence[Artifact], rounds: int) -> list[Step]:
    """Every artifact alone, then a block for each format: a format has one engine."""
    formats: dict[str, list[int]] = {}
    for index, artifact in enumerate(artifacts):
        formats.setdefault(artifact.manifest.options.format, []).append(index)
    of = len(artifacts) + len(formats)
    alone = [
        Step(f"alone: {artifact.path.name}", index + 1, of, (index,), 0)
        for index, artifact in enumerate(artifacts)
    ]
    turns = [
        Step(_turns_title(name, len(members)), len(alone) + place, of, tuple(members), rounds)
        for place, (name, members) in enumerate(formats.items(), start=1)
    ]
    return alone + turns


def _turns_title(format_: str, models: int) -> str:
    return f"in turns: {format_}, {models} model{'s' if models > 1 else ''}"


def _with_bursts(results: Results, step: Step, answer: Answer) -> Results:
    models = list(results.models)
    for member, measured in zip(step.members, answer.models, strict=True):
        models[member] = replace(models[member], bursts=measured.bursts)
    return replace(results, models=tuple(models))


def _check(artifacts: Sequence[Artifact], answer: Answer) -> None:
    """Refuse times of another file than the one whose manifest was read here."""
    for artifact, model in zip(artifacts, answer.models, strict=True):
        if model.sha256 != artifact.manifest.sha256:
            raise BenchError(f"{artifact.path} was replaced while it was measured: start again")


def _model(artifact: Artifact, alone: ModelAnswer) -> Model:
    manifest = artifact.manifest
    return Model(
        name=artifact.path.name,
        path=str(artifact.path),
        sha256=manifest.sha256,
        options=manifest.options,
        multiply_adds=manifest.multiply_adds,
        probe=Probe(
            engine=alone.engine,
            engine_version=alone.engine_version,
            delegate_partitions=alone.delegate_partitions,
            load_time_ms=alone.load_ns / 1e6,
            first_run_ms=alone.first_run_ns / 1e6,
            peak_memory_bytes=alone.peak_memory_bytes,
        ),
    )
