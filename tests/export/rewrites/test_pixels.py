"""Normalisation inside the graph is exact, at the borders too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generated_graphs import Building
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.reference import interpret
from shufflenet_deploy.export.rewrites.pixels import OFFSETS, with_normalisation
from shufflenet_deploy.runtime.manifest import Preprocessing
from shufflenet_deploy.runtime.preprocess import as_input


def _padded_convolution(stride: int) -> Graph:
    building = Building((3, 7, 6), np.random.default_rng(0))
    building.convolution(4, 3, stride)
    return building.graph()


@pytest.mark.parametrize("io", OFFSETS)
@given(
    order=st.sampled_from(["RGB", "BGR"]),
    mean=st.tuples(*[st.floats(0, 255)] * 3),
    std=st.tuples(*[st.floats(1, 255)] * 3),
    stride=st.sampled_from([1, 2]),
)
def test_the_graph_on_pixels_is_the_graph_on_their_normalised_numbers(
    io: str,
    order: str,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    stride: int,
) -> None:
    preprocessing = Preprocessing(channel_order=order, crop=(7, 6), mean=mean, std=std)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 7, 6, 3), dtype=np.uint8)
    graph = _padded_convolution(stride)
    expected = interpret(graph, as_input(pixels, preprocessing, "float32", "NCHW"))
    inside = with_normalisation(graph, preprocessing, io)
    given_ = as_input(pixels, preprocessing, io, "NCHW").astype(np.float64)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(interpret(inside, given_), expected, rtol=0, atol=1e-4 * scale)


def test_folding_it_into_a_padded_convolution_would_be_wrong() -> None:
    # Why the layer of its own: padding with zeros is padding with the mean of the pixels.
    graph = _padded_convolution(1)
    preprocessing = Preprocessing(crop=(7, 6), mean=(100.0, 100.0, 100.0), std=(1.0, 1.0, 1.0))
    pixels = np.full((1, 3, 7, 6), 100.0)
    inside = interpret(with_normalisation(graph, preprocessing, "uint8"), pixels)
    # Of an image of the mean everything is the bias, at the borders as in the middle.
    assert np.ptp(inside, axis=(2, 3)).max() < 1e-9
