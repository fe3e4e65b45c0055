"""Poolings in a form for which engines have a fast kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shufflenet_deploy.export.graph.graph import Graph, Node, Rewritten, shapes
from shufflenet_deploy.export.graph.operators import AveragePool, Convolution, MaxPool
from shufflenet_deploy.export.rewrites.signs import non_negative


def average_pool_as_depthwise(graph: Graph) -> Rewritten:
    """An average pooling becomes a depthwise convolution of equal weights.

    Engines have a fast kernel for that one, and TFLite's own pooling does not count padding.
    """
    known = shapes(graph)
    changed: dict[str, Node | None] = {}
    for node in graph:
        if isinstance(pool := node.operator, AveragePool):
            channels = known[node.name][0]
            height, width = pool.kernel
            weight = np.full((channels, 1, height, width), 1 / (height * width))
            depthwise = Convolution(
                weight, np.zeros(channels), pool.stride, pool.padding, groups=channels
            )
            changed[node.name] = replace(node, operator=depthwise)
    return graph.with_nodes(changed), len(changed)


def max_pool_of_non_negative(graph: Graph) -> Rewritten:
    """Note which max poolings read no negative number: zeros may then stand for the padding.

    XNNPACK takes a padding with zeros, and none of another kind.
    """
    positive = non_negative(graph)
    changed: dict[str, Node | None] = {
        node.name: replace(node, operator=replace(pool, non_negative=True))
        for node in graph
        if isinstance(pool := node.operator, MaxPool)
        and pool.is_padded
        and not pool.non_negative
        and node.inputs[0] in positive
    }
    return graph.with_nodes(changed), len(changed)
