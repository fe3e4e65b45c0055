"""Representative inputs, from which the ranges of int8 activations are taken."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.errors import ExportError, InferenceError
from shufflenet_deploy.runtime.images.datasets import DIGITS, image_files, open_dataset
from shufflenet_deploy.runtime.images.folders import Walk, split_folder
from shufflenet_deploy.runtime.manifest import Calibration, Preprocessing
from shufflenet_deploy.runtime.preprocess import Pixels, as_input, fit, read_image, require_pillow
from shufflenet_deploy.runtime.seeded import seeded_pixels

FEWEST = 16
"""The fewest usable images: from fewer the ranges are chance."""
HELD_OUT = 64
"""The most images that are held out, to choose by and to judge on."""
NOISE = "noise"
NOISE_SAMPLES = 32
NOISE_SEED = 2000

Report = Callable[[str], None]


@dataclass(frozen=True)
class CalibrationSet:
    """Pixels, decoded once and shared by all that calibrates, and where they come from.

    Both kinds stand in an order of their own, whatever the order in which they were read.
    """

    record: Calibration
    pixels: Pixels
    """The images to calibrate with, (N, H, W, 3), RGB."""
    held_out: Pixels
    """Those by which a calibration is judged, (M, H, W, 3)."""
    preprocessing: Preprocessing

    def inputs(self, dtype: str) -> Inputs:
        """The images one by one (1, 3, H, W), in float32, as an input of `dtype` has them.

        Each is made when it is asked for: all of them in float take four times the pixels.
        """
        return Inputs(self.pixels, self.preprocessing, dtype)

    def held_out_inputs(self, dtype: str) -> Inputs:
        """Those that are held out, likewise."""
        return Inputs(self.held_out, self.preprocessing, dtype)


@dataclass(frozen=True)
class Inputs(Sequence[NDArray[Any]]):
    """Pixels as a sequence of what a network takes."""

    pixels: Pixels
    preprocessing: Preprocessing
    dtype: str

    def __len__(self) -> int:
        """How many images."""
        return len(self.pixels)

    def __getitem__(self, index: int) -> NDArray[np.float32]:  # type: ignore[override]
        """One image; IndexError past the end, as iteration wants."""
        given = as_input(self.pixels[index][None], self.preprocessing, self.dtype, "NCHW")
        return given.astype(np.float32)


def from_source(
    source: str, samples: int, seed: int, preprocessing: Preprocessing, report: Report
) -> CalibrationSet:
    """Choose `samples` images of a folder, or of ``digits``, in a seeded order, and decode them.

    Of a folder with ``train`` and ``val`` in it, as of the digits, only those to train on. Further
    images are held out; where there are none, a quarter of those is. Files that cannot be read
    are counted, and the first of them named to `report`. With 0 samples, all are held out.
    Raises `ExportError` where fewer than `FEWEST` are usable.
    """
    require_pillow()
    readers = _digits() if source == DIGITS else _files(Path(source), report)
    random.Random(seed).shuffle(readers)
    pixels: list[Pixels] = []
    unusable: list[str] = []
    for read in readers:
        if len(pixels) == samples + HELD_OUT:
            break
        try:
            pixels.append(fit(read(), preprocessing))
        except InferenceError as error:
            unusable.append(str(error))
    for line in unusable[:3]:
        report(f"left out of the calibration: {line}")
    if len(unusable) > 3:
        report(f"left out of the calibration: {len(unusable) - 3} more")
    if len(pixels) < FEWEST:
        raise ExportError(
            f"{source} has {len(pixels)} usable images ({len(unusable)} unusable): calibration "
            f"needs at least {FEWEST}, and some hundreds are better"
        )
    spare = max(len(pixels) - samples, min(HELD_OUT, len(pixels) // 4))
    pixels = _ordered(pixels)
    random.Random(seed).shuffle(pixels)
    fitted, held_out = pixels[: len(pixels) - spare], pixels[len(pixels) - spare :]
    record = Calibration(
        source=Path(source).name,
        samples=len(fitted),
        held_out=len(held_out),
        seed=seed,
        unusable=len(unusable),
    )
    kept = _stacked(fitted) if fitted else np.empty((0, *held_out[0].shape), np.uint8)
    return CalibrationSet(record, kept, _stacked(held_out), preprocessing)


def _digits() -> list[Callable[[], Any]]:
    return [example.read for example in open_dataset(DIGITS, "train").examples]


def _files(folder: Path, report: Report) -> list[Callable[[], Any]]:
    if not folder.is_dir():
        raise ExportError(
            f"no calibration folder {folder}: name one with images in it, or {DIGITS!r}", usage=True
        )
    training = split_folder(folder, "train", flat=True)
    walk = Walk()
    files = image_files(training, walk) if training else []
    if not files:
        walk = Walk()
        files = image_files(folder, walk)
    for line in walk.remarks():
        report(f"{folder}: {line}")
    return [partial(read_image, path) for path in files]


def from_noise(preprocessing: Preprocessing) -> CalibrationSet:
    """Seeded images for random weights, whose ranges mean nothing on photographs either."""
    pixels = seeded_pixels(NOISE_SAMPLES + NOISE_SAMPLES // 4, preprocessing.crop, NOISE_SEED)
    fitted, held_out = pixels[:NOISE_SAMPLES], pixels[NOISE_SAMPLES:]
    record = Calibration(
        source=NOISE,
        samples=len(fitted),
        held_out=len(held_out),
        seed=NOISE_SEED,
        unusable=0,
    )
    return CalibrationSet(record, _stacked(fitted), _stacked(held_out), preprocessing)


def _ordered(images: Iterable[Pixels]) -> list[Pixels]:
    """The images by the hash of their pixels, so that their names decide nothing."""

    def digest(image: Pixels) -> bytes:
        return hashlib.sha256(image.tobytes()).digest()

    return sorted(images, key=digest)


def _stacked(images: Iterable[Pixels]) -> Pixels:
    """All in one array and in that order: sums over them are the same to the last bit."""
    return np.stack(_ordered(images))
