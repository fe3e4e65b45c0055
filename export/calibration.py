"""Representative inputs, from which the ranges of int8 activations are taken."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.errors import ExportError, InferenceError
from shufflenet_deploy.runtime.images.datasets import image_files
from shufflenet_deploy.runtime.manifest import Calibration, Preprocessing
from shufflenet_deploy.runtime.preprocess import Pixels, as_input, fit, read_image, require_pillow
from shufflenet_deploy.runtime.seeded import seeded_pixels

FEWEST = 16
"""The fewest usable images: from fewer the ranges are chance."""
NOISE_SAMPLES = 32
NOISE_SEED = 2000

Report = Callable[[str], None]


@dataclass(frozen=True)
class CalibrationSet:
    """Pixels, decoded once and shared by the quantisers, and where they come from."""

    record: Calibration
    pixels: Pixels
    """The images, (N, H, W, 3), RGB."""
    preprocessing: Preprocessing

    def inputs(self, dtype: str, layout: str) -> Sequence[NDArray[np.float32]]:
        """The images one by one (1, ...), in float32, as an artifact's input of `dtype` has them.

        Each is made when it is asked for: all of them in float take four times the pixels.
        """
        return _Inputs(self, dtype, layout)


@dataclass(frozen=True)
class _Inputs(Sequence[NDArray[np.float32]]):
    images: CalibrationSet
    dtype: str
    layout: str

    def __len__(self) -> int:
        return len(self.images.pixels)

    def __getitem__(self, index: int) -> NDArray[np.float32]:  # type: ignore[override]
        pixels = self.images.pixels[index][None]  # IndexError past the end, as iteration wants
        given = as_input(pixels, self.images.preprocessing, self.dtype, self.layout)
        return given.astype(np.float32)


def from_folder(
    folder: Path, samples: int, seed: int, preprocessing: Preprocessing, report: Report
) -> CalibrationSet:
    """Choose `samples` images below `folder`, in a seeded order, and decode them.

    Files that cannot be read are counted, and the first of them named to `report`. Raises
    `ExportError` where fewer than `FEWEST` are usable.
    """
    if not folder.is_dir():
        raise ExportError(f"no calibration folder {folder}: name one with images in it", usage=True)
    require_pillow()
    files = image_files(folder)
    random.Random(seed).shuffle(files)
    pixels: list[Pixels] = []
    unusable: list[str] = []
    for path in files:
        if len(pixels) == samples:
            break
        try:
            pixels.append(fit(read_image(path), preprocessing))
        except InferenceError as error:
            unusable.append(str(error))
    for line in unusable[:3]:
        report(f"left out of the calibration: {line}")
    if len(unusable) > 3:
        report(f"left out of the calibration: {len(unusable) - 3} more")
    if len(pixels) < FEWEST:
        raise ExportError(
            f"{folder} has {len(pixels)} usable images ({len(unusable)} unusable): calibration "
            f"needs at least {FEWEST}, and some hundreds are better"
        )
    record = Calibration(source=folder.name, samples=len(pixels), seed=seed, unusable=len(unusable))
    return CalibrationSet(record, np.stack(pixels), preprocessing)


def from_noise(preprocessing: Preprocessing) -> CalibrationSet:
    """Seeded images for random weights, whose ranges mean nothing on photographs either."""
    pixels = seeded_pixels(NOISE_SAMPLES, preprocessing.crop, NOISE_SEED)
    record = Calibration(source="noise", samples=NOISE_SAMPLES, seed=NOISE_SEED, unusable=0)
    return CalibrationSet(record, pixels, preprocessing)
