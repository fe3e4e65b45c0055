from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.measure.records import checked, no_room, probe, same_file, timed
from shufflenet_deploy.bench.results import Block, CheckedModel, FirstUse, Model, Results
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.worker.spec import Answer, Burst, Canary, ModelAnswer, Skipped

BLOCK = Block(id="a block", claim=None, members=(4, 7), threads=1)
BURST = Burst(round=0, position=0, cold_ns=5, samples_ns=(1, 2, 3))


def a_model(**changes: object) -> ModelAnswer:
    answer = ModelAnswer(
        artifact="/there/net.onnx",
        sha256="hash",
        engine="onnxruntime",
        engine_version="1.2.3",
        remarks={},
        load_ns=2_500_000,
        first_run_ns=1_500_000,
        difference=1e-6,
        peak_memory_bytes=1000,
        warm_up_ns=(30, 20, 20),
        stable=True,
        bursts=(BURST,),
    )
    return replace(answer, **changes)


@pytest.fixture
def answer(make_results: Callable[..., Results]) -> Answer:
    return Answer(
        threads=1,
        cores=None,
        stopped="seconds",
        environment=make_results().environment,
        states=(),
        canary=Canary(start_ns=(1,), end_ns=(2,)),
        peak_multiply_adds_per_second=None,
        skipped=(),
        models=(a_model(), a_model(stable=False, bursts=())),
    )


def test_a_probe_is_what_a_model_cost_alone() -> None:
    found = probe(a_model(), latency=True)
    assert found.first_use == FirstUse(load_ms=2.5, first_run_ms=1.5)
    assert (found.engine, found.engine_version) == ("onnxruntime", "1.2.3")
    assert (found.peak_memory_bytes, found.difference) == (1000, 1e-6)


def test_without_latency_a_probe_has_no_time_but_all_else() -> None:
    assert probe(a_model(), latency=False) == replace(probe(a_model(), True), first_use=None)


def test_a_timed_process_is_the_answer_with_its_models_numbered(answer: Answer) -> None:
    run = timed(BLOCK, 3, 12.5, (4, 7), answer)
    assert (run.block, run.process, run.start_seconds) == ("a block", 3, 12.5)
    assert (run.stopped, run.canary) == ("seconds", answer.canary)
    assert [(one.member, one.stable, one.bursts) for one in run.models] == [
        (4, True, (BURST,)),
        (7, False, ()),
    ]
    assert run.models[0].warm_up_ns == (30, 20, 20)


def test_a_checked_process_has_correctness_alone(answer: Answer) -> None:
    run = checked(BLOCK, 0, (4, 7), answer)
    assert run.models == (
        CheckedModel(member=4, difference=1e-6),
        CheckedModel(member=7, difference=1e-6),
    )


def test_another_file_than_the_one_that_was_read_is_refused(
    make_model: Callable[..., Model],
) -> None:
    model = make_model("alexnet")
    same_file(model, a_model(sha256=model.sha256))
    with pytest.raises(BenchError, match=r"alexnet.*\.onnx was replaced while it was measured"):
        same_file(model, a_model(sha256="another"))


def test_what_did_not_fit_is_named_with_what_it_needs(answer: Answer) -> None:
    skipped = [
        Skipped(artifact=f"/there/{name}", needed_bytes=900_000_000, available_bytes=512_345_678)
        for name in ("a.onnx", "b.onnx")
    ]
    assert no_room(replace(answer, skipped=(skipped[0],), models=())) == (
        "a.onnx needs about 900 MB of memory where 512 MB are available"
    )
    both = no_room(replace(answer, skipped=tuple(skipped), models=()))
    assert both.count("; ") == 1
    assert "b.onnx" in both
