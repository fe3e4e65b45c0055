"""How many multiply-adds a second this processor can do: the roof under which latencies stand.

A network's multiply-adds per second, divided by this, are the share of the processor that it
uses. The measure is numpy's single precision product of two square matrices of about the size of
a second-level cache, by the best kernels that OpenBLAS has for the processor. It is a roof for
fp32 only: int8 kernels do up to four times as many, and may well pass it.

How many threads take part is OpenBLAS's choice, made once, when numpy is imported: the worker has
limited them before (`processor.limit_pools`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SIZE = 384
"""Rows and columns of the matrices that are multiplied, 576 KiB each. Smaller ones measure the call
rather than the arithmetic: on one x86-64 core 128 reached 80% of what 384 did, 256 96%, 512 and 768
the same to 2%."""
SECONDS = 0.5


def peak_multiply_adds_per_second(clock: Callable[[], int], seconds: float = SECONDS) -> float:
    """The best of as many products as fit into `seconds`, the first of them untimed.

    The best and not the median: whatever disturbs a product only ever makes it slower, and a roof
    is what can be reached. `clock` gives nanoseconds.
    """
    generator = np.random.default_rng(0)
    left, right = generator.random((2, SIZE, SIZE), np.float32)
    product = np.empty_like(left)
    end = clock() + int(seconds * 1e9)
    np.matmul(left, right, out=product)  # starts the threads
    best: int | None = None
    while best is None or clock() < end:
        start = clock()
        np.matmul(left, right, out=product)
        elapsed = clock() - start
        best = elapsed if best is None else min(best, elapsed)
    return SIZE**3 / max(best, 1) * 1e9
