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

    One 1x1 convolution in front puts the channels in order, takes the mean off and divides. It
    cannot be part of the first convolution, whose padding with zeros stands for the mean.
    """
    order = [2, 1, 0] if preprocessing.channel_order == "BGR" else [0, 1, 2]
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)
    weight = np.zeros((3, 3, 1, 1))
    weight[np.arange(3), order, 0, 0] = 1 / std
    bias = (OFFSETS[input_type] - mean) / std
    first = Node("normalised", Convolution(weight, bias), (graph.input,))
    behind = tuple(
        replace(
            node,
            inputs=tuple("normalised" if name == graph.input else name for name in node.inputs),
        )
        for node in graph
    )
    return replace(graph, nodes=(first, *behind))
