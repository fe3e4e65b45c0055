"""The arithmetic of pooling and padding windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pair = tuple[int, int]
"""The vertical and the horizontal size, stride or padding of a window."""


def window_counts(
    size: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, after: Pair = (0, 0)
) -> tuple[int, ...]:
    """How many windows of `kernel` fit on a map of `size`, padded on both sides.

    Further padding may come `after` its last row and column. Raises `ValueError` where none fits.
    """
    counts = tuple(
        (size[axis] + 2 * padding[axis] + after[axis] - kernel[axis]) // stride[axis] + 1
        for axis in (0, 1)
    )
    if min(counts) < 1:
        raise ValueError("a map smaller than the window")
    return counts


def adaptive_average_weights(before: Pair, after: Pair) -> NDArray[np.float64]:
    """Adaptive average pooling as a matrix (after height * width, before height * width).

    PyTorch's window i along an axis of n, divided into m, goes from floor(i n / m) to
    ceil((i + 1) n / m): windows overlap, and differ in length, where m does not divide n. So
    no pooling of fixed windows does the same.
    """
    rows, columns = (_axis_weights(before[axis], after[axis]) for axis in (0, 1))
    return np.kron(rows, columns).astype(np.float64)


def _axis_weights(before: int, after: int) -> NDArray[np.float64]:
    weights = np.zeros((after, before))
    for index in range(after):
        start, end = index * before // after, -(-(index + 1) * before // after)
        weights[index, start:end] = 1 / (end - start)
    return weights


def ceil_padding(size: Pair, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    """How much padding after the last row and column PyTorch's ``ceil_mode`` amounts to.

    The last window may go beyond the padded map, and has to begin on it or before it.
    """
    after = []
    for axis in (0, 1):
        padded = size[axis] + 2 * padding[axis]
        windows = -(-(padded - kernel[axis]) // stride[axis]) + 1
        if (windows - 1) * stride[axis] >= size[axis] + padding[axis]:
            windows -= 1
        after.append(max((windows - 1) * stride[axis] + kernel[axis] - padded, 0))
    return after[0], after[1]


def is_same_padding(
    size: Pair, kernel: Pair, stride: Pair, padding: Pair, after: Pair = (0, 0)
) -> bool:
    """Whether TensorFlow's ``SAME`` means this padding on a map of `size`.

    SAME pads just so much that ceil(size / stride) windows fit, and puts what is odd at the
    end: on an even map, a 3x3 window of stride 2 gets nothing before and one after.
    """
    for axis in (0, 1):
        windows = -(-size[axis] // stride[axis])
        total = max((windows - 1) * stride[axis] + kernel[axis] - size[axis], 0)
        if total != 2 * padding[axis] + after[axis] or total // 2 != padding[axis]:
            return False
    return True
