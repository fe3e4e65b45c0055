"""Values that are called non-negative are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given

from generated_graphs import graphs
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.reference import interpret
from shufflenet_deploy.export.rewrites.signs import non_negative


@given(graph=graphs())
def test_values_called_non_negative_are(graph: Graph) -> None:
    positive = non_negative(graph)
    images = np.random.default_rng(3).normal(size=(2, *graph.input_shape))
    for node in graph:
        if node.name in positive:
            assert (interpret(replace(graph, output=node.name), images) >= 0).all()
