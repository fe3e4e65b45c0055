"""Bottlenecks widened for int8 kernels compute the same, in the channel counts that were asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generated_graphs import Building, units
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import Convolution, Gather, Shuffle
from shufflenet_deploy.export.graph.reference import interpret
from shufflenet_deploy.export.rewrites.bottleneck import pad_bottleneck
from shufflenet_deploy.export.rewrites.shuffle import (
    absorb_shuffle,
    shuffle_after_depthwise,
    shuffle_as_gather,
)


def _lowered(graph: Graph) -> Graph:
    for rewrite in (absorb_shuffle, shuffle_after_depthwise, shuffle_as_gather):
        graph, _ = rewrite(graph)
    return graph


@given(graph=units(), multiple=st.sampled_from([2, 3, 8, 16]))
def test_any_unit_computes_the_same(graph: Graph, multiple: int) -> None:
    images = np.random.default_rng(1).normal(size=(2, *graph.input_shape))
    widened, _ = pad_bottleneck(_lowered(graph), multiple)
    expected = interpret(graph, images)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(interpret(widened, images), expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize(("groups", "wide"), [(1, 16), (2, 8), (3, 24), (4, 16), (8, 24)])
def test_every_group_is_filled_as_little_as_possible(groups: int, wide: int) -> None:
    building = Building((groups, 6, 6), np.random.default_rng(0))
    building.convolution(groups * 3 if groups > 1 else 9, groups=groups)
    building.add(Shuffle(groups))
    building.depthwise()
    building.convolution(groups * 2, groups=groups)
    widened, places = pad_bottleneck(_lowered(building.graph()), 8)
    middle = [
        len(node.operator.bias)
        for node in widened
        if isinstance(node.operator, Convolution) and node.operator.is_depthwise
    ]
    # Eight groups of three are a multiple of eight as they stand.
    assert (middle, places) == ([wide], 0 if groups == 8 else 1)


def test_a_second_time_nothing_is_left_to_do() -> None:
    building = Building((3, 6, 6), np.random.default_rng(0))
    building.convolution(15, groups=3)
    building.add(Shuffle(3))
    building.depthwise()
    building.convolution(6, groups=3)
    once, places = pad_bottleneck(_lowered(building.graph()), 8)
    assert places == 1
    assert pad_bottleneck(once, 8)[1] == 0
    assert any(isinstance(node.operator, Gather) for node in once)


def test_convolutions_that_are_grouped_differently_stay() -> None:
    building = Building((6, 6, 6), np.random.default_rng(0))
    building.convolution(6, groups=2)
    building.depthwise()
    building.convolution(6, groups=3)
    assert pad_bottleneck(building.graph(), 8)[1] == 0
