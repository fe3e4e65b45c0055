"""Signal against noise, in decibels: how far a model's answers are from another's."""

from __future__ import annotations

import math

import numpy as np

from shufflenet_deploy.runtime.seeded import Floats


def signal_to_noise_db(signal: float, noise: float) -> float:
    """10 log10 of `signal` by `noise`, both sums of squares; infinite where there is no noise.

    Raises ValueError where there is no signal.
    """
    if not signal > 0:
        raise ValueError("there is no signal")
    if not noise:
        return math.inf
    ratio = signal / noise
    return 10 * math.log10(ratio) if ratio != 0 else -math.inf  # of noise that is infinite


def sqnr_db(signal: Floats, measured: Floats) -> float:
    """The signal to quantisation noise of numbers that were `measured` in place of `signal`.

    Raises ValueError where the signal is nothing but zeros.
    """
    exact = np.asarray(signal, np.float64)
    error = np.asarray(measured, np.float64) - exact
    return signal_to_noise_db(float(np.square(exact).sum()), float(np.square(error).sum()))
