"""From an image to a label, each stage timed: what an application waits for besides the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.engines import Session
from shufflenet_deploy.runtime.images.classify import TOP, Guess, best, infer
from shufflenet_deploy.runtime.preprocess import fit, network_input, read_image

if TYPE_CHECKING:
    from PIL.Image import Image

STAGES = ("decode", "resize", "normalise", "inference", "label")
"""A file's or a frame's bytes to pixels; resized and cropped; as the artifact's input; its logits;
the best classes of them."""


_UNTIMED = 2
"""Of the first, what decodes and resizes has yet to be loaded."""


@dataclass(frozen=True)
class Labelled:
    """What the network takes one image for, and how long that took."""

    guesses: list[Guess]
    """The best classes, best first."""
    stages_ns: tuple[int, ...]
    """Nanoseconds of each of `STAGES`."""


def label(
    artifact: Artifact,
    session: Session,
    read: Callable[[], Image],
    clock: Callable[[], int],
    top: int = TOP,
) -> Labelled:
    """The `top` best classes of the image that `read` decodes.

    Raises `InferenceError` as `read`, `network_input` and `infer` do.
    """
    times = [clock()]
    image = read()
    times.append(clock())
    pixels = fit(image, artifact.manifest.preprocessing)
    times.append(clock())
    images = network_input(pixels[None], artifact.manifest)
    times.append(clock())
    (logits,) = infer(artifact, session, images)
    times.append(clock())
    guesses = best(logits, artifact.manifest.labels, top)
    times.append(clock())
    return Labelled(guesses, tuple(after - before for before, after in pairwise(times)))


def repeated(
    artifact: Artifact, session: Session, image: Path, runs: int, clock: Callable[[], int]
) -> tuple[str, dict[str, tuple[int, ...]]]:
    """The label of the file `image`, and the nanoseconds of each of `STAGES`, `runs` times over.

    Raises `InferenceError` as `label` and `read_image` do.
    """
    read = partial(read_image, image)
    done = [label(artifact, session, read, clock, top=1) for _ in range(_UNTIMED + runs)]
    times = zip(*(one.stages_ns for one in done[_UNTIMED:]), strict=True)
    # A clock may be too coarse for the shortest.
    stages = {
        stage: tuple(max(1, nanoseconds) for nanoseconds in of_stage)
        for stage, of_stage in zip(STAGES, times, strict=True)
    }
    return done[-1].guesses[0].label, stages
