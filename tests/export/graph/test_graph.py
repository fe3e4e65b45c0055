"""A graph knows the shape of each of its values, and refuses what does not fit together."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given

from generated_graphs import graphs
from shufflenet_deploy.export.graph.graph import Graph, Node, shapes
from shufflenet_deploy.export.graph.operators import (
    AdaptiveAveragePool,
    Add,
    ChannelScale,
    Concatenate,
    Convolution,
    FullyConnected,
    Gather,
    MaxPool,
    Operator,
    Shuffle,
)
from shufflenet_deploy.export.graph.reference import interpret


@given(graph=graphs())
def test_shapes_are_those_of_what_is_computed(graph: Graph) -> None:
    images = np.random.default_rng(0).normal(size=(2, *graph.input_shape))
    known = shapes(graph)
    for node in graph:
        part = Graph(graph.input, graph.input_shape, graph.nodes, node.name)
        assert interpret(part, images).shape == (2, *known[node.name])


@pytest.mark.parametrize("size", list(product((1, 3), (2, 5))))
def test_adaptive_pooling_has_the_size_that_it_says(size: tuple[int, int]) -> None:
    graph = Graph("x", (4, 7, 8), (Node("y", AdaptiveAveragePool(size), ("x",)),), "y")
    assert shapes(graph)["y"] == (4, *size)


def _convolution(inputs: int, kernel: int = 1) -> Convolution:
    return Convolution(np.zeros((2, inputs, kernel, kernel)), np.zeros(2))


@pytest.mark.parametrize(
    ("operator", "inputs", "reason"),
    [
        (_convolution(3), ("x",), "channels"),
        (_convolution(4, kernel=9), ("x",), "a map smaller than the window"),
        (MaxPool((9, 9), (1, 1)), ("x",), "a map smaller than the window"),
        (FullyConnected(np.zeros((5, 3)), np.zeros(5)), ("x",), "features"),
        (Add(), ("x", "half"), "shapes that differ"),
        (ChannelScale(), ("x", "x"), "channels"),
        (Concatenate(), ("x", "small"), "sizes that differ"),
        (Shuffle(3), ("x",), "groups"),
        (Gather((0, 4)), ("x",), "channels"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    operator: Operator, inputs: tuple[str, ...], reason: str
) -> None:
    nodes = (
        Node("half", Gather((0, 1)), ("x",)),
        Node("small", MaxPool((2, 2), (2, 2)), ("x",)),
        Node("wrong", operator, inputs),
    )
    with pytest.raises(ValueError, match=f"wrong does not take .*{reason}"):
        shapes(Graph("x", (4, 6, 6), nodes, "wrong"))
