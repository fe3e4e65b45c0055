"""From an image to a label, each stage timed: what an application waits for besides the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.engines import Session
from shufflenet_deploy.runtime.images.classify import TOP, Guess, best, infer
from shufflenet_deploy.runtime.preprocess import fit, network_input

if TYPE_CHECKING:
    from PIL.Image import Image

STAGES = ("decode", "resize", "normalise", "inference", "label")
"""A file's or a frame's bytes to pixels; resized and cropped; as the artifact's input; its logits;
the best classes of them."""


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
