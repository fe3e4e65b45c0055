"""A photograph -> the best labels, with numpy, Pillow and one engine: for the device too.

from shufflenet_deploy.runtime.images.classify import Classifier

classifier = Classifier("shufflenet-v1-g3-x1.0-224x224-int8.tflite", threads=4)
for guess in classifier.classify("photo.jpg"):
    print(f"{guess.probability:.1%} {guess.label}")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.engines import Session, open_session
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.manifest import Manifest
from shufflenet_deploy.runtime.preprocess import Pixels, fit, network_input, read_image

TOP = 5


class Guess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class that the network takes an image for."""

    index: int
    """The number of the class, from 0."""
    label: str
    """The name of the class; its number where the artifact's manifest has no labels."""
    probability: float
    """The softmax of the logits, or the sigmoid of a single one; how sure the network is, not how
    often it is right."""


class Classifier:
    """An artifact loaded into its engine, with the preprocessing that its manifest says."""

    def __init__(self, artifact: Path | str, threads: int = 1, engine: str | None = None) -> None:
        """Open the file `artifact`, which has its manifest beside it.

        It runs on the engine called `engine`, by default its format's first. Raises
        `InferenceError` where it cannot be used, or its weights are random.
        """
        self.artifact = Artifact.open(Path(artifact))
        require_trained(self.artifact)
        self.session = open_session(self.artifact.path, threads, engine)

    def classify(self, image: Path | str, top: int = TOP) -> list[Guess]:
        """The `top` best classes of an image file, best first.

        Raises `InferenceError` where the file is no image, and where Pillow is not installed.
        """
        preprocessing = self.artifact.manifest.preprocessing
        return self.classify_pixels(fit(read_image(Path(image)), preprocessing), top)

    def classify_pixels(self, pixels: Pixels, top: int = TOP) -> list[Guess]:
        """The `top` best classes of a camera's frame (H, W, 3), RGB, uint8; without Pillow.

        Raises `InferenceError` where its size is not the network's, `preprocessing.crop` in the
        manifest.
        """
        height, width = self.artifact.manifest.preprocessing.crop
        if pixels.shape != (height, width, 3) or pixels.dtype != np.uint8:
            raise InferenceError(
                f"pixels of {pixels.shape} {pixels.dtype}: {self.artifact.path.name} takes "
                f"{(height, width, 3)} uint8; resize and crop them first"
            )
        images = network_input(pixels[None], self.artifact.manifest)
        (logits,) = infer(self.artifact, self.session, images)
        return best(logits, self.artifact.manifest.labels, top)


def is_trained(manifest: Manifest) -> bool:
    """Whether the weights come from somewhere, and are not random."""
    return manifest.weights.origin != "random"


def require_trained(artifact: Artifact) -> None:
    """Raise `InferenceError` where the artifact's weights are random."""
    if not is_trained(artifact.manifest):
        raise InferenceError(
            f"{artifact.path} has random weights, useless for recognising anything: export it "
            "with shufflenet-export --weights FILE or --weights imagenet"
        )


def class_count(artifact: Artifact) -> int:
    """How many classes the artifact tells apart."""
    manifest = artifact.manifest
    return len(manifest.labels) if manifest.labels else manifest.output.shape[-1]


def infer(artifact: Artifact, session: Session, images: NDArray[Any]) -> NDArray[Any]:
    """What `network_input` made of N images -> the artifact's logits (N, classes).

    Raises `InferenceError` where the engine fails, or answers what cannot be logits.
    """
    try:
        logits = session.run(images)
    except Exception as error:  # noqa: BLE001 - engines' exceptions share no other base
        raise InferenceError(f"{artifact.path} does not run on {session.engine}: {error}") from None
    classes = class_count(artifact)
    if logits.shape != (len(images), classes):
        raise InferenceError(
            f"{artifact.path} answers {logits.shape} for {len(images)} images and {classes} "
            "classes: export it again"
        )
    if not np.isfinite(logits).all():
        raise InferenceError(
            f"{artifact.path} answers logits that are not finite: its weights are broken or its "
            "numbers overflow; export it again, or with another precision"
        )
    return logits


def best(logits: NDArray[Any], labels: tuple[str, ...] | None, top: int) -> list[Guess]:
    """The `top` largest of one image's `logits` (classes,); of equal ones the first."""
    probabilities = softmax(logits) if len(logits) > 1 else sigmoid(logits)
    order = np.argsort(-logits.astype(np.float64), kind="stable")[:top]
    return [
        Guess(
            index=int(index),
            label=labels[index] if labels else str(index),
            probability=float(probabilities[index]),
        )
        for index in order
    ]


def sigmoid(logits: NDArray[Any]) -> NDArray[np.float64]:
    """The probability of each logit's class by itself, as one output alone means it."""
    wide = logits.astype(np.float64)
    powers = np.exp(-np.abs(wide))  # never too large
    probabilities: NDArray[np.float64] = np.where(wide < 0, powers, 1) / (1 + powers)
    return probabilities


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities of one image's logits (classes,), which may be as large as they like."""
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max())
    probabilities: NDArray[np.float64] = powers / powers.sum()
    return probabilities
