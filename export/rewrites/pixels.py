"""Normalisation as part of the graph, so that a camera's frame goes in as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shufflenet_deploy.export.graph.graph import Graph, Node
from shufflenet_deploy.export.graph.operators import Convolution
from shufflenet_deploy.runtime.manifest import Preprocessing

OFFSETS = {"uint8": 0, "int8": 128}
"""Type of input -> what to add to its numbers for a pixel of 0 to 255."""


def with_normalisation(graph: Graph, preprocessing: Preprocessing, input_type: str) -> Graph:
    """The graph on RGB pixels, given as numbers of `input_type`, instead of on `normalise`'s.

    Channels are put in order, the mean is taken off, and what is left divided. Where zeros mean
    the same before and after, or nothing is padded with them, the first convolution's weights do
    that; else one 1x1 convolution in front, since padding with zeros stands for the mean.
    """
    order = [2, 1, 0] if preprocessing.channel_order == "BGR" else [0, 1, 2]
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)
    weight = np.zeros((3, 3, 1, 1))
    weight[np.arange(3), order, 0, 0] = 1 / std
    first = Convolution(weight, (OFFSETS[input_type] - mean) / std)
    readers = graph.readers(graph.input)
    if graph.input != graph.output and all(_absorbs(node, first) for node in readers):
        return graph.with_nodes({node.name: _absorbed(node, first) for node in readers})
    behind = tuple(
        replace(
            node,
            inputs=tuple("normalised" if name == graph.input else name for name in node.inputs),
        )
        for node in graph
    )
    return replace(graph, nodes=(Node("normalised", first, (graph.input,)), *behind))


def _absorbs(node: Node, first: Convolution) -> bool:
    """Whether a layer can do `first`, a 1x1 convolution before it, in its own weights."""
    layer = node.operator
    if not isinstance(layer, Convolution) or layer.groups != 1:
        return False
    return layer.padding == (0, 0) or not first.bias.any()


def _absorbed(node: Node, first: Convolution) -> Node:
    layer = node.operator
    assert isinstance(layer, Convolution)
    weight = np.einsum("oihw,ij->ojhw", layer.weight, first.weight[:, :, 0, 0])
    bias = layer.bias + np.einsum("oihw,i->o", layer.weight, first.bias)
    return replace(node, operator=replace(layer, weight=weight, bias=bias))
