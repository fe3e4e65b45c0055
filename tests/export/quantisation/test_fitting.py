"""Fitted weights give on rounded inputs what float gives on exact ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from generated_graphs import Building, classified, units
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import Convolution, FullyConnected, Relu
from shufflenet_deploy.export.quantisation import fitting
from shufflenet_deploy.export.quantisation.fitting import fit, round_to_nearest
from shufflenet_deploy.export.quantisation.ranges import Rule, ranges
from shufflenet_deploy.export.quantisation.simulation import rounding, simulate
from shufflenet_deploy.export.quantisation.statistics import collect
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.runtime.decibels import sqnr_db

PIXELS = (0.0, 255.0)


def _images(graph: Graph, count: int, seed: int = 0) -> list[NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    shape = (1, *graph.input_shape)
    return [random.uniform(*PIXELS, shape).astype(np.float32) for _ in range(count)]


def _ranges(graph: Graph, images: list[NDArray[np.float32]]) -> Ranges:
    return ranges(graph, collect(graph, images), Rule(), PIXELS)


def _decibels(graph: Graph, other: Graph, limits: Ranges) -> float:
    """Of `other`, its values rounded, on images that neither was made with."""
    images = _images(graph, 32, seed=1)
    return sqnr_db(simulate(graph, images), simulate(other, images, rounding(other, limits)))


def _deep(random: np.random.Generator) -> Graph:
    """Grouped and depthwise layers whose inputs have means, as behind a ReLU."""
    building = Building((3, 12, 12), random)
    building.convolution(12, 3, stride=2, activation=Relu())
    for _ in range(4):
        building.convolution(12, groups=3, activation=Relu())
        building.depthwise()
    return classified(building.graph())


@pytest.mark.parametrize("seed", range(4))
def test_its_weights_lose_less_than_the_nearest_where_channels_go_together(seed: int) -> None:
    """As those of trained networks do: here three channels of an image become 24."""
    building = Building((3, 8, 8), np.random.default_rng(seed))
    for _ in range(3):
        building.convolution(24)
    graph = classified(building.graph())
    images = _images(graph, 32)
    fitted = fit(graph, images, _ranges(graph, images))
    unseen = _images(graph, 32, seed=1)
    exact = simulate(graph, unseen)
    nearest = sqnr_db(exact, simulate(round_to_nearest(graph), unseen))
    assert sqnr_db(exact, simulate(fitted, unseen)) > nearest + 3


@settings(max_examples=15)
@given(graph=units())
def test_weights_of_any_unit_lie_on_their_grid_and_the_graph_stays(graph: Graph) -> None:
    graph = classified(graph)
    images = _images(graph, 4)
    fitted = fit(graph, images, _ranges(graph, images))
    assert [node.name for node in fitted] == [node.name for node in graph]
    for node in fitted:
        if isinstance(layer := node.operator, Convolution | FullyConnected):
            rows = layer.weight.reshape(len(layer.bias), -1)
            step = np.abs(rows).max(axis=1, keepdims=True) / 127
            whole = np.divide(rows, step, out=np.zeros_like(rows), where=step > 1e-25)
            np.testing.assert_allclose(whole, np.rint(whole), atol=1e-5)
            assert np.isfinite(layer.bias).all()


def test_a_layer_of_many_inputs_gets_the_nearest_weights_and_a_bias_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = _deep(np.random.default_rng(0))
    images = _images(graph, 32)
    limits = _ranges(graph, images)
    nearest = round_to_nearest(graph)
    monkeypatch.setattr(fitting, "MOST_INPUTS", 0)
    corrected = fit(graph, images, limits)
    for mine, theirs in zip(corrected, nearest, strict=True):
        if isinstance(layer := mine.operator, Convolution | FullyConnected):
            other = theirs.operator
            assert isinstance(other, Convolution | FullyConnected)
            np.testing.assert_allclose(layer.weight, other.weight)
            assert layer.bias.shape == other.bias.shape
    assert _decibels(graph, corrected, limits) > _decibels(graph, nearest, limits)


def test_little_memory_means_fewer_images_and_not_another_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = _deep(np.random.default_rng(0))
    images = _images(graph, 32)
    limits = _ranges(graph, images)
    monkeypatch.setattr(fitting, "STREAM_BYTES", 1)  # room for one image
    one = fit(graph, images, limits)
    alone = fit(graph, images[:1], limits)
    for mine, theirs in zip(one, alone, strict=True):
        if isinstance(layer := mine.operator, Convolution):
            assert isinstance(theirs.operator, Convolution)
            assert (layer.weight == theirs.operator.weight).all()
