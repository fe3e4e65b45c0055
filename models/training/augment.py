"""A training image's random crop and mirroring, before the preprocessing that all images share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from shufflenet_deploy.runtime.preprocess import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels; fractions are sampled."""

_WIDEST = 4 / 3
"""How far crops are stretched: from 3:4 to 4:3, as is usual (Szegedy et al., 2014)."""
_TRIES = 10


def random_crop(
    size: tuple[int, int], output: tuple[int, int], smallest: float, random: np.random.Generator
) -> Box:
    """A box in an image of `size`, of `smallest` to all of the largest area of the output's shape.

    Sizes are (height, width). The box has the output's proportions, stretched at random by up
    to 4:3 where that fits.
    """
    height, width = size
    ratio = output[1] / output[0]
    largest = (min(width, height * ratio), min(height, width / ratio))
    for _ in range(_TRIES):
        share = random.uniform(smallest, 1.0)
        stretch = math.exp(random.uniform(-1.0, 1.0) * math.log(_WIDEST) / 2)
        box_width = largest[0] * math.sqrt(share) * stretch
        box_height = largest[1] * math.sqrt(share) / stretch
        if box_width <= width and box_height <= height:
            break
    else:
        box_width, box_height = largest
    left = random.uniform(0.0, 1.0) * (width - box_width)
    top = random.uniform(0.0, 1.0) * (height - box_height)
    # Rounding may put an edge a billionth outside, which Pillow refuses.
    return left, top, min(left + box_width, width), min(top + box_height, height)


def augmented(
    image: Image,
    output: tuple[int, int],
    *,
    smallest: float,
    flip: bool,
    random: np.random.Generator,
) -> Pixels:
    """A random crop of `image`, mirrored half of the time where `flip`: (H, W, 3) of `output`."""
    from PIL.Image import Resampling

    box = random_crop((image.height, image.width), output, smallest, random)
    pixels = np.asarray(image.resize((output[1], output[0]), Resampling.BILINEAR, box=box))
    return pixels[:, ::-1] if flip and random.random() < 0.5 else pixels
