"""A folder of small images that a network tells apart in seconds: by their colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"blue": (40, 60, 220), "green": (40, 200, 60), "red": (220, 50, 40), "white": (230,) * 3}
HELD_OUT = 13
"""Odd, so that two processes cannot halve it."""


def write_coloured_images(folder: Path) -> Path:
    """Write ``train`` with 8 images of each class and ``val`` with 3, of the first with 4."""
    random = np.random.default_rng(0)
    for number, (name, colour) in enumerate(COLOURS.items()):
        for split, count in (("train", 8), ("val", 4 if number == 0 else 3)):
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                # Noise strong enough that a network errs; sizes that are not the network's.
                pixels = random.normal(colour, 90, (32 + index, 40, 3)).clip(0, 255)
                image = Image.fromarray(pixels.astype(np.uint8))
                image.save(folder / split / name / f"{index}.png")
    return folder
