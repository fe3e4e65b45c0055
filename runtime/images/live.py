"""A camera's loop: each frame labelled, and what that takes told while it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from shufflenet_deploy.runtime.endings import plain
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.images.camera import Frame
from shufflenet_deploy.runtime.images.stages import STAGES, Labelled, label

if TYPE_CHECKING:
    from shufflenet_deploy.runtime.images.classify import Classifier

_EVERY_SECONDS = 1.0
"""How often a label that stays the same is told again."""


def watch(
    classifier: Classifier,
    frames: Iterable[Frame],
    tell: Callable[[Frame, Labelled, float | None], None],
    *,
    top: int,
    limit: int | None,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> list[Labelled]:
    """Label `frames` until they end, `limit` are done or Ctrl-C is pressed; what became of each.

    `tell` hears of each with the rate so far in frames a second, None of the first. A frame that
    is broken is told of on stderr and left out. Raises `InferenceError` where none could be read.
    """
    done: list[Labelled] = []
    broken = 0
    start = clock()
    try:
        for frame in frames:
            try:
                labelled = label(classifier.artifact, classifier.session, frame.read, clock, top)
            except InferenceError as error:
                broken += 1
                sys.stderr.write(f"left out: {plain(str(error))}\n")
                continue
            done.append(labelled)
            seconds = (clock() - start) / 1e9
            tell(frame, labelled, len(done) / seconds if len(done) > 1 else None)
            if limit is not None and len(done) >= limit:
                break
    except KeyboardInterrupt:
        if not done:
            raise
    if not done:
        raise InferenceError(f"none of {broken} frames could be read")
    return done


def json_line(frame: Frame, labelled: Labelled, rate: float | None) -> None:
    """Print one JSON document in a line (JSON Lines); see `watch`."""
    document = {
        "frame": frame.name,
        "guesses": labelled.guesses,
        "stages_ns": dict(zip(STAGES, labelled.stages_ns, strict=True)),
        "frames_per_second": rate,
    }
    sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
    sys.stdout.buffer.flush()


class Lines:
    """Prints a line where the best label changes, and each second."""

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock = clock
        self._label: str | None = None
        self._told_ns = 0

    def tell(self, frame: Frame, labelled: Labelled, rate: float | None) -> None:
        """See `watch`."""
        guess = labelled.guesses[0]
        now = self._clock()
        if guess.label == self._label and now - self._told_ns < _EVERY_SECONDS * 1e9:
            return
        self._label, self._told_ns = guess.label, now
        at = f"{rate:6.1f} frames/s" if rate is not None else " " * 15
        sys.stdout.write(f"{at}  {guess.probability:6.1%}  {plain(guess.label)}\n")
        sys.stdout.flush()


def summary(done: list[Labelled], seconds: float) -> str:
    """How many frames there were, and what the median one took, stage by stage."""
    medians = [median(times) / 1e6 for times in zip(*(one.stages_ns for one in done), strict=True)]
    whole = median(sum(one.stages_ns) for one in done) / 1e6
    parts = ", ".join(f"{name} {value:.2f}" for name, value in zip(STAGES, medians, strict=True))
    count = f"{len(done)} frame{'s' if len(done) > 1 else ''}"
    rate = f", {len(done) / seconds:.1f} a second" if len(done) > 1 and seconds else ""
    return f"{count}{rate}; from image to label {whole:.2f} ms (medians in ms: {parts})"
