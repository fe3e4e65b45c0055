"""Accuracy of the very files that were measured, beside their speed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.accuracy.evaluation import Accuracy, Evaluation, Share
from shufflenet_deploy.bench.accuracy.of_results import judgement, read, with_accuracy
from shufflenet_deploy.bench.measure.artifacts import Subject, open_subjects
from shufflenet_deploy.bench.results import MeasuredAccuracy, Model, Results
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import BenchError

MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]


def judged(sha256: str, right: int, engine: str = "onnxruntime") -> Accuracy:
    return Accuracy(
        path="a.onnx",
        sha256=sha256,
        size_bytes=1,
        engine=engine,
        engine_version="1",
        top1=Share(images=right, share=right / 100, low=0.0, high=1.0),
        top5=None,
        images_per_second=1.0,
        against_first=None,
    )


def evaluation(*artifacts: Accuracy) -> Evaluation:
    return Evaluation(
        data="photos",
        classes=3,
        images=100,
        unusable=(),
        batch=1,
        threads=1,
        artifacts=artifacts,
    )


def right(right: int) -> MeasuredAccuracy:
    return MeasuredAccuracy(data="photos", images=100, right=right, among_five=None)


def test_each_model_gets_what_was_found_of_its_file(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    first, second = make_model(), make_model(format="tflite")
    results = make_results(first, second)
    found = with_accuracy(results, evaluation(judged("other", 1), judged(second.sha256, 90)))
    assert [model.accuracy for model in found.models] == [None, right(90)]


def test_of_several_engines_a_models_own_counts(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    model = make_model()
    both = evaluation(judged(model.sha256, 10, "second"), judged(model.sha256, 90))
    (found,) = with_accuracy(make_results(model), both).models
    assert found.accuracy == right(90)
    other = evaluation(judged(model.sha256, 10, "second"))
    (found,) = with_accuracy(make_results(model), other).models
    assert found.accuracy == right(10)


def test_an_evaluation_of_other_files_is_refused(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    with pytest.raises(BenchError, match="is of other files than were measured"):
        with_accuracy(make_results(make_model()), evaluation(judged("other", 1)))


@pytest.mark.parametrize(("images", "right"), [(0, 0), (3, 4), (3, -1), (-1, 0)])
def test_an_accuracy_that_cannot_be_is_refused(images: int, right: int) -> None:
    record = {"data": "d", "images": images, "right": right, "among_five": None}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(record, MeasuredAccuracy)


def test_a_hostile_evaluation_is_one_line(
    make_model: MakeModel, make_results: MakeResults, tmp_path: Path
) -> None:
    model = make_model()
    path = tmp_path / "eval.json"
    path.write_bytes(msgspec.json.encode(evaluation(judged(model.sha256, 101))))
    with pytest.raises(BenchError, match="101 right of 100 images") as refused:
        with_accuracy(make_results(model), read(path))
    assert "\n" not in str(refused.value)


def test_what_cannot_be_evaluated_is_told(tiny_artifacts: Path, tmp_path: Path) -> None:
    random = Subject.of(Artifact.open(next(tiny_artifacts.glob("*fp32.onnx"))))
    foreign = tmp_path / "net.onnx"
    foreign.write_bytes(random.path.read_bytes())
    told: list[str] = []
    subjects = [random, *open_subjects([foreign])]
    with pytest.raises(BenchError, match="--data: none of these models is a trained artifact"):
        judgement(subjects, "digits", None, told.append)
    assert [line.partition(" is not evaluated: ")[2] for line in told] == [
        "its weights are random",
        "without a manifest its preprocessing is unknown",
    ]


def test_nothing_is_known_where_nothing_was_asked(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    results = make_results(replace(make_model()))
    nothing = judgement([], None, None, lambda line: None)
    assert nothing.known(results) is results
    assert nothing.complete(results, lambda done, of: None) is results
