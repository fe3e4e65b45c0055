"""Decibels, from sums of squares and from the numbers themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shufflenet_deploy.runtime.decibels import signal_to_noise_db, sqnr_db


def test_decibels() -> None:
    assert signal_to_noise_db(100, 1) == pytest.approx(20)
    assert signal_to_noise_db(2, 1) == pytest.approx(3.0103)
    assert signal_to_noise_db(1, 1) == 0
    assert signal_to_noise_db(1, 0) == math.inf
    with pytest.raises(ValueError, match="no signal"):
        signal_to_noise_db(0, 1)


def test_noise_that_is_no_number_is_never_good_enough() -> None:
    assert signal_to_noise_db(1, math.inf) == -math.inf
    assert math.isnan(signal_to_noise_db(1, math.nan))


def test_sqnr_is_power_over_power() -> None:
    signal = np.array([[3.0, 4.0]], np.float32)
    assert sqnr_db(signal, signal + np.array([0.5, 0], np.float32)) == pytest.approx(20)
    assert sqnr_db(signal, signal) == float("inf")
