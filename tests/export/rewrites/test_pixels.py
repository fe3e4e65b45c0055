"""Normalisation inside the graph is exact, at the borders too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generated_graphs import Building
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import AveragePool, Concatenate, Convolution
from shufflenet_deploy.export.graph.reference import interpret
from shufflenet_deploy.export.rewrites.pixels import OFFSETS, with_normalisation
from shufflenet_deploy.runtime.manifest import Preprocessing
from shufflenet_deploy.runtime.preprocess import as_input


def _padded_convolution(stride: int) -> Graph:
    building = Building((3, 7, 6), np.random.default_rng(0))
    building.convolution(4, 3, stride)
    return building.graph()


def _unpadded_convolution(stride: int) -> Graph:
    building = Building((3, 7, 6), np.random.default_rng(0))
    weight = building.random.normal(size=(4, 3, 3, 3))
    building.add(Convolution(weight, building.random.normal(size=4), (stride, stride)))
    return building.graph()


def _pooled_image(stride: int) -> Graph:
    building = Building((3, 7, 6), np.random.default_rng(0))
    building.convolution(3, 3, stride)
    building.add(AveragePool((3, 3), (stride, stride), (1, 1)), "images")
    building.add(Concatenate(), building.nodes[0].name, building.nodes[1].name)
    return building.graph()


@pytest.mark.parametrize("io", OFFSETS)
@pytest.mark.parametrize("made", [_padded_convolution, _unpadded_convolution, _pooled_image])
@given(
    order=st.sampled_from(["RGB", "BGR"]),
    mean=st.just((0.0, 0.0, 0.0)) | st.tuples(*[st.floats(0, 255)] * 3),
    std=st.tuples(*[st.floats(1, 255)] * 3),
    stride=st.sampled_from([1, 2]),
)
def test_the_graph_on_pixels_is_the_graph_on_their_normalised_numbers(
    io: str,
    made: Callable[[int], Graph],
    order: str,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    stride: int,
) -> None:
    preprocessing = Preprocessing(channel_order=order, crop=(7, 6), mean=mean, std=std)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 7, 6, 3), dtype=np.uint8)
    graph = made(stride)
    expected = interpret(graph, as_input(pixels, preprocessing, "float32", "NCHW"))
    inside = with_normalisation(graph, preprocessing, io)
    given_ = as_input(pixels, preprocessing, io, "NCHW").astype(np.float64)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(interpret(inside, given_), expected, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize(
    ("made", "mean", "io", "layers"),
    [
        (_padded_convolution, 0.0, "uint8", 1),
        (_padded_convolution, 0.0, "int8", 2),  # whose 0 is a pixel of 128
        (_padded_convolution, 128.0, "int8", 1),
        (_padded_convolution, 100.0, "uint8", 2),
        (_unpadded_convolution, 100.0, "uint8", 1),
        (_pooled_image, 0.0, "uint8", 4),  # a pooling cannot divide
    ],
)
def test_the_first_layer_does_it_where_zeros_mean_the_same(
    made: Callable[[int], Graph], mean: float, io: str, layers: int
) -> None:
    preprocessing = Preprocessing(crop=(7, 6), mean=(mean, mean, mean), std=(50.0, 60.0, 70.0))
    assert len(with_normalisation(made(1), preprocessing, io).nodes) == layers


def test_folding_it_into_a_padded_convolution_would_be_wrong() -> None:
    # Why the layer of its own: padding with zeros is padding with the mean of the pixels.
    graph = _padded_convolution(1)
    preprocessing = Preprocessing(crop=(7, 6), mean=(100.0, 100.0, 100.0), std=(1.0, 1.0, 1.0))
    pixels = np.full((1, 3, 7, 6), 100.0)
    inside = interpret(with_normalisation(graph, preprocessing, "uint8"), pixels)
    # Of an image of the mean everything is the bias, at the borders as in the middle.
    assert np.ptp(inside, axis=(2, 3)).max() < 1e-9
