"""Which of an artifact's logits is for which class of the data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.images.classify import class_count, require_trained
from shufflenet_deploy.runtime.images.datasets import Dataset

_ADVICE = "evaluate it on the classes that it was trained on"
_WORDNET_ID = re.compile(r"n\d{8}\b")


@dataclass(frozen=True)
class Candidate:
    """An artifact that can be judged on some data."""

    artifact: Artifact
    columns: tuple[int, ...]
    """For each of the data's classes, in their order, the index of its logit in the artifact's
    output."""
    engine: str | None = None
    """The name of the engine that runs the artifact; None takes the first of its format."""

    def by_class(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """The artifact's logits (N, classes) in the order of the data's classes."""
        return logits[:, self.columns].astype(np.float64)


def match(artifact: Artifact, classes: tuple[str, ...]) -> Candidate:
    """Find each of the data's `classes` among those of `artifact`.

    By name where the manifest has labels: the names must be the same, in any order. Where the
    data is named by WordNet IDs, as ImageNet's folders are, labels that begin with an ID match
    by that. Without labels the artifact's classes are taken to be in the order of the data's
    names, as training numbers them, and must be as many.

    Raises `InferenceError` for random weights and `BenchError` where the classes are others.
    """
    require_trained(artifact)
    if class_count(artifact) == 1:
        raise BenchError(
            f"{artifact.path} has one output alone, which is always its best: right answers cannot "
            "be counted; train it with one output for each class"
        )
    labels = artifact.manifest.labels
    if labels is None:
        if class_count(artifact) != len(classes):
            raise BenchError(
                f"{artifact.path} tells {class_count(artifact)} classes apart and the data has "
                f"{len(classes)}: {_ADVICE}"
            )
        return Candidate(artifact, tuple(range(len(classes))))
    if all(_WORDNET_ID.fullmatch(name) for name in classes):
        labels = tuple(
            wordnet_id[0] if (wordnet_id := _WORDNET_ID.match(label)) else label for label in labels
        )
    _compare(artifact, labels, classes)
    return Candidate(artifact, tuple(labels.index(name) for name in classes))


def remarks(dataset: Dataset, artifacts: Sequence[Artifact], source: str) -> list[str]:
    """Lines on how the data was understood, `source` being its name."""
    lines = [f"{source}: {line}" for line in dataset.remarks]
    unnamed = any(artifact.manifest.labels is None for artifact in artifacts)
    if unnamed and list(dataset.labels) != sorted(dataset.labels):
        lines.append(f"{source}: its classes are numbers, and taken in the order of numbers")
    return lines


def _compare(artifact: Artifact, labels: tuple[str, ...], classes: tuple[str, ...]) -> None:
    """Raise `BenchError` for the first class that only one side has, or one side has twice."""
    known, in_data = set(labels), set(classes)
    for name in classes:
        if name not in known:
            raise BenchError(
                f"the data has a class {name!r}, which {artifact.path} does not know: {_ADVICE}"
            )
    for name in labels:
        if name not in in_data:
            raise BenchError(
                f"{artifact.path} knows a class {name!r}, which the data does not have: {_ADVICE}"
            )
    if len(labels) > len(known):
        twice = next(name for name in labels if labels.count(name) > 1)
        raise BenchError(f"{artifact.path} has two classes named {twice!r}: which is meant?")
