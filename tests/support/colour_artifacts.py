"""Artifacts that tell red, green and blue apart, made in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from linear_artifacts import write_linear
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.manifest import Preprocessing

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
PLAIN = Preprocessing(crop=(4, 4), mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0))
SUMS = np.tile(np.eye(3), 16)
"""The mean of each channel."""


def colours(
    path: Path,
    preprocessing: Preprocessing = PLAIN,
    labels: tuple[str, ...] | None = tuple(COLOURS),
    **options: str,
) -> Artifact:
    """An artifact that tells red, green and blue apart."""
    weights = SUMS if preprocessing.channel_order == "RGB" else SUMS[::-1]
    return write_linear(path, weights / 4, np.zeros(3), preprocessing, labels, **options)
