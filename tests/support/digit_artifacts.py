"""Artifacts that recognise digits, made in a moment: nearest centroids of the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linear_artifacts import write_linear
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.images.datasets import open_dataset
from shufflenet_deploy.runtime.manifest import Preprocessing
from shufflenet_deploy.runtime.preprocess import fit, normalise

DIGITS = Preprocessing(crop=(8, 8), crop_fraction=1.0)
NAMES = "shufflenet-v1-g3-x0.25-64x64-{}-1a2b3c4d.onnx"


def vectors(split: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The digits as a network for 8x8 pixels gets them, flat, and their classes."""
    examples = open_dataset("digits", split).examples
    pixels = np.stack([fit(example.read(), DIGITS) for example in examples])
    flat = normalise(pixels, DIGITS).reshape(len(examples), -1).astype(np.float64)
    return flat, np.array([example.label for example in examples])


class Digits:
    """Nearest centroids of the real digits: a network that is right nine times of ten."""

    def __init__(self, folder: Path) -> None:
        flat, classes = vectors("train")
        weights = np.stack([flat[classes == digit].mean(axis=0) for digit in range(10)])
        bias = -(weights**2).sum(axis=1) / 2
        labels = tuple("0123456789")
        self.folder = folder
        self.fp32 = self.write("fp32", weights, bias, labels)
        self.coarse_weights, self.weights, self.bias = np.round(2 * weights) / 2, weights, bias
        self.int8 = self.write("int8", self.coarse_weights, bias, labels)
        # The same as fp32, with its classes in the other order and bytes for input.
        self.uint8 = self.write("uint8in", weights[::-1], bias[::-1], labels[::-1], dtype="uint8")

    def write(self, word: str, *network: Any, **options: str) -> Artifact:
        weights, bias, labels = network
        path = self.folder / NAMES.format(word)
        return write_linear(path, weights, bias, DIGITS, labels, **options)
