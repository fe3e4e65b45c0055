"""What is known of a graph's values: the same in any order and in chunks of any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from generated_graphs import Building, graphs
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import Relu
from shufflenet_deploy.export.graph.reference import evaluate
from shufflenet_deploy.export.quantisation import statistics
from shufflenet_deploy.export.quantisation.statistics import collect, spread


def _images(graph: Graph, count: int) -> list[NDArray[np.float32]]:
    random = np.random.default_rng(count)
    return [random.normal(size=(1, *graph.input_shape)).astype(np.float32) for _ in range(count)]


@settings(max_examples=30)
@given(graph=graphs())
def test_extremes_are_those_of_all_images_and_places(graph: Graph) -> None:
    images = _images(graph, 5)
    found = collect(graph, images)
    values: dict[str, torch.Tensor] = {}

    def see(name: str, value: torch.Tensor) -> torch.Tensor:
        values[name] = value
        return value

    evaluate(graph, torch.from_numpy(np.concatenate(images)), see)
    assert found.keys() == values.keys()
    for name, value in values.items():
        axes = [axis for axis in range(value.dim()) if axis != 1]
        near = 1e-5 * max(1.0, float(value.abs().max()))
        np.testing.assert_allclose(found[name].minima, value.amin(axes), rtol=1e-5, atol=near)
        np.testing.assert_allclose(found[name].maxima, value.amax(axes), rtol=1e-5, atol=near)
        sample = found[name].sample
        assert sample.shape[1] == value.shape[1]
        assert (sample >= found[name].minima).all()
        assert (sample <= found[name].maxima).all()


@settings(max_examples=20)
@given(graph=graphs(), seed=st.integers(0, 99))
def test_the_order_of_images_does_not_matter(graph: Graph, seed: int) -> None:
    images = _images(graph, 6)
    order = np.random.default_rng(seed).permutation(6)
    first, second = collect(graph, images), collect(graph, [images[index] for index in order])
    for name, value in first.items():
        near = 1e-5 * max(1.0, float(np.abs(value.sample).max()))
        np.testing.assert_allclose(value.minima, second[name].minima, rtol=1e-5, atol=near)
        np.testing.assert_allclose(value.maxima, second[name].maxima, rtol=1e-5, atol=near)
        same = np.sort(value.sample, axis=0) - np.sort(second[name].sample, axis=0)
        assert np.abs(same).max() < near


def test_chunks_of_any_size_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    building = Building((3, 8, 8), np.random.default_rng(0))
    building.convolution(5, 3, activation=Relu())
    graph = building.graph()
    images = _images(graph, 7)
    whole = collect(graph, images)
    monkeypatch.setattr(statistics, "CHUNK_BYTES", 1)  # one image at a time
    done: list[int] = []
    apart = collect(graph, images, done.append)
    assert done == [1] * 7
    for name, value in whole.items():
        np.testing.assert_allclose(value.maxima, apart[name].maxima, rtol=1e-5)


@given(places=st.integers(1, 60_000), wanted=st.integers(1, 5000), width=st.integers(1, 300))
def test_places_lie_evenly_and_in_every_column(places: int, wanted: int, width: int) -> None:
    chosen = spread(places, wanted, width).tolist()
    assert chosen[0] == 0
    assert chosen[-1] < places
    assert len(np.unique(np.diff(chosen))) <= 1
    if len(chosen) >= width:
        assert len({place % width for place in chosen}) == width
