"""The numbers that 8 bits stand for, alike for training and for export.

Weights are symmetric, with a step for each output channel; activations are affine, with one range
for a whole value: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (2017), section 2.1, as every format here has them.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Range = tuple[float, float]
"""The least and the largest number; 0 is one of those between."""

Ranges = dict[str, Range]
"""By the value's name."""

STEPS = 255
"""Steps of an activation's range."""

LAST_STEP = 127
"""Steps of a weight on either side of 0, the largest weight of a channel being on the last."""

PERCENTILE = 99.99
"""Percent of a value's numbers below its range's upper end, and above its lower one: what was best
on most networks."""


def rounded(value: Tensor, limits: Range) -> Tensor:
    """`value` in steps of the range, 0 being one of them, and no further than its ends.

    A gradient goes through as it is, and where the value is beyond the range not at all.
    """
    low, high = limits
    step = (high - low) / STEPS
    return torch.fake_quantize_per_tensor_affine(value, step, round(-low / step), 0, STEPS)


def weight_steps(weights: Tensor) -> Tensor:
    """The step of each output channel of `weights` (..., O, K): (..., O)."""
    return weights.abs().amax(-1).clamp_min(1e-30) / LAST_STEP


def nearest(weights: Tensor) -> Tensor:
    """Each of the weights (..., O, K) on the nearest step.

    The largest stays where it is, so that who makes the grid from these finds the same one.
    """
    step = weight_steps(weights)[..., None]
    return (weights / step).round() * step


def covering(low: float, high: float, sample: NDArray[np.floating], percent: float | None) -> Range:
    """The range of a value between `low` and `high`, 0 included.

    Of percentiles of its `sample`, or None for the whole of it.
    """
    if percent is not None:
        below, above = np.percentile(sample, (100 - percent, percent))
        low, high = max(low, float(below)), min(high, float(above))
    low, high = min(low, 0.0), max(high, 0.0)
    # What is 0 on all images, as the few channels in the middle of squeeze and excitation can be,
    # would get steps so small that engines refuse the network.
    return (low, high) if low < high else (0.0, 1.0)
