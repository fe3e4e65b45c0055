"""Weights on their steps: the nearest ones, and those that spare the output."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.export.quantisation.rounding import least_error
from shufflenet_deploy.models.quantisation import LAST_STEP, nearest, weight_steps


def _problem(seed: int, groups: int, outputs: int, inputs: int) -> tuple[torch.Tensor, ...]:
    """Weights, bias, correlated inputs (G, places, K)."""
    random = torch.Generator().manual_seed(seed)
    weights = torch.randn(groups, outputs, inputs, generator=random)
    bias = torch.randn(groups, outputs, generator=random)
    mixing = torch.randn(groups, inputs, inputs, generator=random)
    places = torch.randn(groups, 400, inputs, generator=random) @ mixing + 1
    return weights, bias, places


def _moments(places: torch.Tensor) -> torch.Tensor:
    inputs = torch.nn.functional.pad(places, (0, 1), value=1.0).double()
    return inputs.transpose(1, 2) @ inputs / places.shape[1]


SIZES = st.tuples(st.integers(0, 999), st.integers(1, 3), st.integers(1, 5), st.integers(1, 12))


@given(SIZES)
def test_weights_lie_on_whole_steps_and_the_largest_stays(size: tuple[int, int, int, int]) -> None:
    weights, bias, places = _problem(*size)
    placed, _ = least_error(weights, bias, _moments(places))
    step = weight_steps(weights)[..., None].double()
    whole = placed / step
    np.testing.assert_allclose(whole, whole.round(), atol=1e-6)
    assert float(whole.abs().max()) <= LAST_STEP + 1e-6
    # So whoever makes the grid from the rounded weights finds the same steps.
    np.testing.assert_allclose(weight_steps(placed), weight_steps(weights).double(), rtol=1e-6)
    np.testing.assert_allclose(nearest(placed), placed, rtol=1e-6, atol=1e-9)


@given(SIZES)
def test_the_nearest_is_half_a_step_away_at_most(size: tuple[int, int, int, int]) -> None:
    weights, _, _ = _problem(*size)
    error = (nearest(weights) - weights).abs()
    assert (error <= 0.5001 * weight_steps(weights)[..., None]).all()


@pytest.mark.parametrize("seed", range(6))
def test_the_output_errs_less_than_with_the_nearest(seed: int) -> None:
    weights, bias, places = _problem(seed, 2, 8, 24)
    exact = places @ weights.transpose(1, 2) + bias[:, None]
    placed, fitted = least_error(weights, bias, _moments(places))
    mine = places.double() @ placed.transpose(1, 2) + fitted[:, None] - exact
    theirs = places @ nearest(weights).transpose(1, 2) + bias[:, None] - exact
    assert float(mine.square().mean()) < 0.5 * float(theirs.square().mean())
    assert abs(float(mine.mean())) < 0.2 * abs(float(theirs.mean())) + 1e-4  # the bias goes along


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_inputs_that_never_vary_are_no_error(fill: float) -> None:
    weights, bias, places = _problem(0, 2, 3, 5)
    placed, fitted = least_error(weights, bias, _moments(torch.full_like(places, fill)))
    assert torch.isfinite(placed).all()
    assert torch.isfinite(fitted).all()


def test_weights_of_nothing_stay_nothing() -> None:
    _, bias, places = _problem(0, 1, 3, 5)
    placed, fitted = least_error(torch.zeros(1, 3, 5), bias, _moments(places))
    assert not placed.any()
    np.testing.assert_allclose(fitted, bias, rtol=1e-5)
