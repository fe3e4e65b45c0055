"""Seeded inputs that are the same numbers on every machine."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_T = TypeVar("_T", bound=np.generic)


def seeded_images(count: int, input_size: tuple[int, int], seed: int) -> Floats:
    """`count` images (N, H, W, 3) of zero mean and about unit variance, from `seed`.

    Image i is the one image of seed + i: the first of many is the one that is alone.

    Each is coarse blocks of colour with fine noise on top: of noise alone a global mean leaves
    nothing, and every image would get the same logits.

    `RandomState` and not `Generator`: its stream is frozen for good (NEP 19), and uniform
    numbers involve no function of the maths library, so a device makes the very inputs of the
    exporting host, whatever its numpy and processor.
    """
    return np.stack([_image(input_size, seed + index) for index in range(count)])


def _image(input_size: tuple[int, int], seed: int) -> Floats:
    height, width = input_size
    random = np.random.RandomState(seed)
    coarse = _uniform(random, (-(-height // 32), -(-width // 32), 3))
    blocks = coarse.repeat(32, axis=0).repeat(32, axis=1)[:height, :width]
    fine = _uniform(random, (height, width, 3))
    return (0.8 * blocks + 0.6 * fine).astype(np.float32)


def _uniform(random: np.random.RandomState, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Numbers of zero mean and unit variance."""
    return (random.random_sample(shape) - 0.5) * 12**0.5


def seeded_pixels(count: int, input_size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """`seeded_images` as a camera would give them: (N, H, W, 3), RGB, 0 to 255."""
    images = seeded_images(count, input_size, seed)
    # About the mean and the contrast of photographs.
    return np.clip(np.rint(images * 60 + 120), 0, 255).astype(np.uint8)


def to_layout(images: NDArray[_T], layout: str) -> NDArray[_T]:
    """Images (N, H, W, C) in `layout`, ``NHWC`` or ``NCHW``, contiguous in memory."""
    if layout == "NHWC":
        return np.ascontiguousarray(images)
    if layout == "NCHW":
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    raise ValueError(f"layout {layout!r}: NHWC or NCHW")
