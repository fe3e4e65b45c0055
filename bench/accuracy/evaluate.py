"""How often artifacts are right on labelled images, and how far they are from the first one.

Every image is decoded once; all artifacts see the same images, so that their answers pair.
Nothing is kept of a batch but sums and places: logits of 50 000 images would take gigabytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.bench.accuracy.classes import Candidate
from shufflenet_deploy.bench.accuracy.evaluation import (
    Accuracy,
    Comparison,
    Evaluation,
    Share,
    Unusable,
)
from shufflenet_deploy.bench.accuracy.statistics import (
    mcnemar_p,
    ranks,
)
from shufflenet_deploy.bench.analysis.shares import wilson_interval
from shufflenet_deploy.runtime.decibels import signal_to_noise_db
from shufflenet_deploy.runtime.engines import Session, open_session
from shufflenet_deploy.runtime.errors import BenchError, InferenceError
from shufflenet_deploy.runtime.files import shown
from shufflenet_deploy.runtime.images.classify import infer
from shufflenet_deploy.runtime.images.datasets import Dataset
from shufflenet_deploy.runtime.machine.clocks import ClockNs
from shufflenet_deploy.runtime.manifest import Preprocessing
from shufflenet_deploy.runtime.preprocess import Pixels, fit, network_input

TOP = 5

Report = Callable[[int, int], None]
"""Takes the number of images that are done, and the number of all."""


@dataclass(frozen=True)
class Settings:
    """How the images are run."""

    batch: int = 16
    threads: int = 1


def evaluate(
    candidates: Sequence[Candidate],
    dataset: Dataset,
    source: str,
    settings: Settings,
    clock: ClockNs,
    report: Report,
    opener: Callable[[Path, int, str | None], Session] = open_session,
) -> Evaluation:
    """Run all `candidates` on `dataset`, which was named `source`.

    Images that cannot be read are left out of all. Raises `BenchError` where none can be, and
    `InferenceError` where an engine fails.
    """
    judged = [
        _Judged(candidate, opener(candidate.artifact.path, settings.threads, candidate.engine))
        for candidate in candidates
    ]
    unusable: list[Unusable] = []
    geometries = {_geometry(candidate) for candidate in candidates}
    for batch in _batches(dataset, geometries, settings.batch, unusable, report):
        _judge(judged, batch, clock)
    images = len(dataset.examples) - len(unusable)
    if not images:
        raise BenchError(
            f"none of the {len(unusable)} images of {source} is usable: {unusable[0].reason}"
        )
    return Evaluation(
        data=source,
        classes=len(dataset.labels),
        images=images,
        unusable=tuple(unusable),
        batch=settings.batch,
        threads=settings.threads,
        artifacts=tuple(
            judgement.accuracy(None if judgement is judged[0] else judged[0], len(dataset.labels))
            for judgement in judged
        ),
    )


@dataclass(frozen=True)
class _Batch:
    """Images, decoded and of the sizes that are wanted, and their classes."""

    classes: NDArray[np.int64]
    pixels: dict[Preprocessing, Pixels]
    """Geometry -> the images fitted to it, (N, H, W, 3)."""


@dataclass
class _Judged:
    """A candidate in its engine, and what is known of it so far."""

    candidate: Candidate
    session: Session
    answers: list[NDArray[np.int64]] = field(default_factory=list)
    """For each batch the index (N,) of each image's best class."""
    places: list[NDArray[np.int64]] = field(default_factory=list)
    """For each batch the place (N,) of each image's right class in the order of its logits; 0 is
    the best."""
    signal: float = 0.0
    noise: float = 0.0
    full_batch: int = 0
    timed_images: int = 0
    elapsed_ns: int = 0

    def run(self, images: NDArray[Any], clock: ClockNs) -> NDArray[np.float64]:
        """Logits (N, classes) in the order of the data's classes; full batches are timed.

        The last batch is smaller, and for that LiteRT plans its memory anew.
        """
        artifact = self.candidate.artifact
        if not self.full_batch:  # the first run of a batch is slower than those that follow
            infer(artifact, self.session, images)
            self.full_batch = len(images)
        start = clock()
        logits = infer(artifact, self.session, images)
        if len(images) == self.full_batch:
            self.elapsed_ns += clock() - start
            self.timed_images += len(images)
        return self.candidate.by_class(logits)

    def accuracy(self, first: _Judged | None, classes: int) -> Accuracy:
        """What came of it, and against `first` unless it is that itself."""
        places = np.concatenate(self.places)
        manifest = self.candidate.artifact.manifest
        return Accuracy(
            path=str(self.candidate.artifact.path),
            sha256=manifest.sha256,
            size_bytes=manifest.size_bytes,
            engine=self.session.engine,
            engine_version=self.session.engine_version,
            top1=_share(places == 0),
            top5=_share(places < TOP) if classes > TOP else None,
            images_per_second=self.timed_images / max(1, self.elapsed_ns) * 1e9,
            against_first=None if first is None else self._against(first),
        )

    def _against(self, first: _Judged) -> Comparison:
        right, first_right = (np.concatenate(judgement.places) == 0 for judgement in (self, first))
        lost, gained = int((first_right & ~right).sum()), int((right & ~first_right).sum())
        if not first.signal:
            raise BenchError(
                f"{first.candidate.artifact.path} answers nothing but zeros: nothing can be "
                "compared with it"
            )
        sqnr_db = signal_to_noise_db(first.signal, self.noise)
        return Comparison(
            agreement=_share(np.concatenate(self.answers) == np.concatenate(first.answers)),
            lost=lost,
            gained=gained,
            mcnemar_p=mcnemar_p(lost, gained),
            sqnr_db=sqnr_db if math.isfinite(sqnr_db) else None,
        )


def _share(true: NDArray[np.bool_]) -> Share:
    images = int(true.sum())
    low, high = wilson_interval(images, len(true))
    return Share(images=images, share=images / len(true), low=low, high=high)


def _judge(judged: Sequence[_Judged], batch: _Batch, clock: ClockNs) -> None:
    """Run one batch through all, and add what comes of it to theirs."""
    inputs: dict[tuple[Preprocessing, str, str], NDArray[Any]] = {}
    first: NDArray[np.float64] | None = None
    for judgement in judged:
        manifest = judgement.candidate.artifact.manifest
        key = (manifest.preprocessing, manifest.input.layout, manifest.input.dtype)
        if key not in inputs:
            inputs[key] = network_input(batch.pixels[_geometry(judgement.candidate)], manifest)
        logits = judgement.run(inputs[key], clock)
        first = logits if first is None else first
        judgement.answers.append(logits.argmax(axis=1))
        judgement.places.append(ranks(logits, batch.classes))
        judgement.signal += float(np.square(logits).sum())
        judgement.noise += float(np.square(logits - first).sum())


def _geometry(candidate: Candidate) -> Preprocessing:
    """The candidate's preprocessing without what concerns colours: what `fit` goes by."""
    return msgspec.structs.replace(
        candidate.artifact.manifest.preprocessing,
        channel_order="RGB",
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    )


def _batches(
    dataset: Dataset,
    geometries: set[Preprocessing],
    size: int,
    unusable: list[Unusable],
    report: Report,
) -> Iterator[_Batch]:
    """Decode the images, `size` usable ones at a time; add those that are not to `unusable`."""
    classes: list[int] = []
    pixels: list[dict[Preprocessing, Pixels]] = []
    for done, example in enumerate(dataset.examples):
        report(done, len(dataset.examples))
        try:
            image = example.read()
        except InferenceError as error:
            unusable.append(Unusable(name=shown(example.name), reason=shown(str(error))))
            continue
        classes.append(example.label)
        pixels.append({geometry: fit(image, geometry) for geometry in geometries})
        if len(classes) == size:
            yield _batch(classes, pixels)
            classes.clear()
            pixels.clear()
    if classes:
        yield _batch(classes, pixels)
    report(len(dataset.examples), len(dataset.examples))


def _batch(classes: Sequence[int], pixels: Sequence[dict[Preprocessing, Pixels]]) -> _Batch:
    return _Batch(
        np.array(classes),
        {geometry: np.stack([image[geometry] for image in pixels]) for geometry in pixels[0]},
    )
