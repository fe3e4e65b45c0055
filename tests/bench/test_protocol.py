from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench import BenchError
from shufflenet_deploy.bench.protocol import Step, begin, measure
from shufflenet_deploy.bench.results import Parameters, Results
from shufflenet_deploy.runtime.artifact import Artifact, Options
from shufflenet_deploy.runtime.spec import Progress

if TYPE_CHECKING:
    from tests.bench.conftest import FakeDevice

PARAMETERS = Parameters(rounds=4, threads=2, warm_up=7)


@pytest.fixture
def artifacts(
    tmp_path: Path, half: Options, write_artifact: Callable[[Path, Options], Artifact]
) -> list[Artifact]:
    """Two networks as ONNX, one of them as TFLite too, formats mixed."""
    return [
        write_artifact(tmp_path, half),
        write_artifact(tmp_path, replace(half, format="tflite")),
        write_artifact(tmp_path, replace(half, scale=1.0)),
    ]


def carry_out(device: FakeDevice, artifacts: list[Artifact]) -> tuple[list[Results], list[Step]]:
    steps: list[Step] = []

    def report(step: Step, progress: Progress) -> None:
        steps.append(step)

    return list(measure(device, artifacts, begin(device, PARAMETERS), report)), steps


def test_it_begins_with_when_where_and_how(make_device: type[FakeDevice]) -> None:
    begun = begin(make_device(), PARAMETERS)
    created = datetime.fromisoformat(begun.created)
    assert created.utcoffset() == UTC.utcoffset(None)
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60
    assert (begun.device, begun.parameters, begun.models) == ("fake", PARAMETERS, ())
    assert not begun.complete


def test_each_model_alone_then_those_of_one_format_in_turns(
    make_device: type[FakeDevice], artifacts: list[Artifact]
) -> None:
    device = make_device()
    carry_out(device, artifacts)
    one, other, two = (f"/there/{artifact.path}" for artifact in artifacts)
    assert [(spec.artifacts, spec.rounds, spec.warm_up) for spec in device.specs] == [
        ((one,), 0, 0),
        ((other,), 0, 0),
        ((two,), 0, 0),
        ((one, two), 4, 7),
        ((other,), 4, 7),
    ]
    assert {spec.threads for spec in device.specs} == {2}


def test_results_grow_with_each_worker(
    make_device: type[FakeDevice], artifacts: list[Artifact]
) -> None:
    grown, _ = carry_out(make_device(), artifacts)
    assert [[len(model.bursts) for model in results.models] for results in grown] == [
        [0],
        [0, 0],
        [0, 0, 0],
        [4, 0, 4],
        [4, 4, 4],
    ]
    assert [results.complete for results in grown] == [False] * 4 + [True]


def test_a_model_is_its_manifest_and_what_it_cost_alone(
    make_device: type[FakeDevice], artifacts: list[Artifact]
) -> None:
    grown, _ = carry_out(make_device(), artifacts)
    model = grown[-1].models[1]
    manifest = artifacts[1].manifest
    assert (model.name, model.path) == (artifacts[1].path.name, str(artifacts[1].path))
    assert (model.sha256, model.options) == (manifest.sha256, manifest.options)
    assert model.multiply_adds == manifest.multiply_adds
    assert (model.probe.load_time_ms, model.probe.first_run_ms) == (2.5, 1.5)
    assert (model.probe.peak_memory_bytes, model.probe.delegate_partitions) == (1000, 1)


def test_progress_names_the_step_and_how_many_there_are(
    make_device: type[FakeDevice], artifacts: list[Artifact]
) -> None:
    _, steps = carry_out(make_device(), artifacts)
    assert [(step.number, step.of) for step in steps] == [(n, 5) for n in range(1, 6)]
    assert steps[0].title == "alone: shufflenet-v1-g3-x0.5-224x224-fp32.onnx"
    assert [step.title for step in steps[3:]] == [
        "in turns: onnx, 2 models",
        "in turns: tflite, 1 model",
    ]


@pytest.mark.parametrize("worker", [1, 2, 3, 4, 5])
def test_an_interrupted_worker_is_the_last_and_its_answer_is_kept(
    make_device: type[FakeDevice], artifacts: list[Artifact], worker: int
) -> None:
    device = make_device(interrupt_at=worker)
    grown, _ = carry_out(device, artifacts)
    assert len(device.specs) == len(grown) == worker
    assert not grown[-1].complete
    assert len(grown[-1].models) == min(worker, 3)
    if worker == 4:
        assert [len(model.bursts) for model in grown[-1].models] == [1, 0, 1]


def test_a_file_that_was_replaced_meanwhile_is_refused(
    make_device: type[FakeDevice], artifacts: list[Artifact]
) -> None:
    with pytest.raises(BenchError, match=r"x0.5.*was replaced while it was measured"):
        carry_out(make_device(wrong_file=True), artifacts)
