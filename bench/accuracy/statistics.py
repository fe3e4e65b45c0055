"""What is computed from right and wrong answers: pure functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def mcnemar_p(lost: int, gained: int) -> float:
    """The exact two-sided McNemar test of whether two networks are right equally often.

    `lost` images only the first network had right, `gained` only the second. Were the networks
    equally good, each of these would fall to either side like a coin: the result is the
    probability that it would fall at least as unevenly. Images that both have right, or both
    wrong, say nothing.
    """
    images = lost + gained
    tail = term = 1
    for index in range(min(lost, gained)):
        term = term * (images - index) // (index + 1)
        tail += term
    # Whole numbers to the end: 2**images is beyond a float from 1024 images on.
    return float(min(1, 2 * tail / 2**images))


def ranks(logits: NDArray[Any], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places (N,) of `classes` (N,) in the order of `logits` (N, all classes); 0 is the best.

    Of equal logits, as int8 often has them, the first class is the better, as argmax has it.
    """
    class_logits = np.take_along_axis(logits, classes[:, None], axis=1)
    earlier = np.arange(logits.shape[1]) < classes[:, None]
    better = (logits > class_logits) | ((logits == class_logits) & earlier)
    places: NDArray[np.int64] = better.sum(axis=1)
    return places
