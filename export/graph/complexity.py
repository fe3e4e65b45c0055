"""Multiply-adds of a graph.

The paper's "FLOPs" are multiply-adds (caption of its table 1): one multiplication and the
addition that goes with it count as one. Convolutions and fully connected layers are counted;
normalisation, activations and pooling are not, as is the custom of the field.
"""

from __future__ import annotations

import math

from shufflenet_deploy.export.graph.graph import Graph, shapes
from shufflenet_deploy.export.graph.operators import Convolution, FullyConnected


def multiply_adds(graph: Graph) -> int:
    """Multiply-adds of one image: each weight's, at each place where it is applied."""
    known = shapes(graph)
    return sum(
        layer.weight.size * math.prod(known[node.name][1:])
        for node in graph
        if isinstance(layer := node.operator, Convolution | FullyConnected)
    )
