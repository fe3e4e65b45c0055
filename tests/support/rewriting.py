"""What tests of rewrites share."""

from __future__ import annotations

import numpy as np

from generated_graphs import Building
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.reference import interpret


def assert_equal(graph: Graph, rewritten: Graph) -> None:
    """Both compute the same in float64."""
    images = np.random.default_rng(7).normal(size=(2, *graph.input_shape))
    before, after = interpret(graph, images), interpret(rewritten, images)
    assert after.shape == before.shape
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-12 * max(1, np.abs(before).max()))


def operators(graph: Graph) -> list[type]:
    """Their kinds, in order."""
    return [type(node.operator) for node in graph]


def start() -> Building:
    """A graph without layers, on images of four channels."""
    return Building((4, 8, 8), np.random.default_rng(0))
