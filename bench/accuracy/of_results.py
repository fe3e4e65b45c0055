"""Accuracy beside speed: what an evaluation says of the models of a measurement."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from shufflenet_deploy.bench.accuracy.classes import Candidate, match, remarks
from shufflenet_deploy.bench.accuracy.evaluate import Report, Settings, evaluate
from shufflenet_deploy.bench.accuracy.evaluation import EVALUATION_VERSION, Accuracy, Evaluation
from shufflenet_deploy.bench.documents import EVALUATION, load
from shufflenet_deploy.bench.measure.artifacts import Subject
from shufflenet_deploy.bench.results import MeasuredAccuracy, Model, Results
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.images.classify import is_trained
from shufflenet_deploy.runtime.images.datasets import Dataset, open_dataset


@dataclass(frozen=True)
class Judgement:
    """Where the accuracy of measured models comes from, checked before anything is measured."""

    evaluation: Evaluation | None = None
    """An evaluation that was made before."""
    source: str = ""
    """The data, as they were named."""
    dataset: Dataset | None = None
    """The data, where models are yet to be evaluated."""
    candidates: tuple[Candidate, ...] = ()

    def known(self, results: Results) -> Results:
        """`results` with what is known before they are measured."""
        return with_accuracy(results, self.evaluation) if self.evaluation else results

    def complete(self, results: Results, report: Report) -> Results:
        """`results` with the accuracy of all candidates; the same where they have it already.

        Raises as `evaluate.evaluate` does.
        """
        if self.dataset is None or any(
            model.accuracy and model.accuracy.data == self.source for model in results.models
        ):
            return results
        clock = time.perf_counter_ns
        evaluation = evaluate(self.candidates, self.dataset, self.source, Settings(), clock, report)
        return with_accuracy(results, evaluation)


def judgement(
    subjects: Sequence[Subject],
    data: str | None,
    evaluated: Path | None,
    tell: Callable[[str], None],
) -> Judgement:
    """What `data` or the evaluation in the file `evaluated` will say of `subjects`.

    Models without a manifest, whose preprocessing nobody knows, and networks with random weights
    are left out, which is told. Raises `BenchError` where nothing is left, or classes do not match.
    """
    if evaluated is not None:
        return Judgement(evaluation=read(evaluated))
    if data is None:
        return Judgement()
    dataset = open_dataset(data, "test")
    judged = []
    for subject in subjects:
        if subject.manifest is None:
            tell(
                f"{subject.path} is not evaluated: without a manifest its preprocessing is unknown"
            )
        elif not is_trained(subject.manifest):
            tell(f"{subject.path} is not evaluated: its weights are random")
        else:
            judged.append((Artifact(subject.path, subject.manifest), subject.engine))
    if not judged:
        raise BenchError(
            "--data: none of these models is a trained artifact of shufflenet-export; leave it out",
            usage=True,
        )
    for line in remarks(dataset, [artifact for artifact, _ in judged], data):
        tell(line)
    candidates = tuple(
        dataclasses.replace(match(artifact, dataset.labels), engine=engine)
        for artifact, engine in judged
    )
    return Judgement(source=data, dataset=dataset, candidates=candidates)


def read(path: Path) -> Evaluation:
    """Read what ``shufflenet-eval --out`` wrote. Raises `BenchError` as `documents.load` does."""
    return load(path, EVALUATION, Evaluation, EVALUATION_VERSION, "evaluate again")


def with_accuracy(results: Results, evaluation: Evaluation) -> Results:
    """`results`, where each model that was evaluated has its accuracy.

    A file that several engines run takes the figure of its own engine, where there is one. Raises
    `BenchError` where none of the models was evaluated.
    """
    judged = [_of(model, evaluation) for model in results.models]
    if judged and not any(judged):
        raise BenchError(
            f"the evaluation on {evaluation.data} is of other files than were measured: evaluate "
            "these, with --data"
        )
    models = tuple(
        _with(model, accuracy, evaluation) if accuracy else model
        for model, accuracy in zip(results.models, judged, strict=True)
    )
    return replace(results, models=models)


def _with(model: Model, judged: Accuracy, evaluation: Evaluation) -> Model:
    try:
        accuracy = MeasuredAccuracy(
            data=evaluation.data,
            images=evaluation.images,
            right=judged.top1.images,
            among_five=judged.top5.images if judged.top5 else None,
        )
    except ValueError as error:
        raise BenchError(f"the evaluation on {evaluation.data}: {error}; evaluate again") from None
    return replace(model, accuracy=accuracy)


def _of(model: Model, evaluation: Evaluation) -> Accuracy | None:
    same_file = [one for one in evaluation.artifacts if one.sha256 == model.sha256]
    names = {model.engine, *([model.probe.engine] if model.probe else [])}
    own = [one for one in same_file if one.engine in names]
    return next(iter(own or same_file), None)
