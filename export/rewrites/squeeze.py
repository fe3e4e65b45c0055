"""The mean of squeeze and excitation, taken where there are fewer channels."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.export.graph.graph import Graph, Node, Rewritten
from shufflenet_deploy.export.graph.operators import Convolution, GlobalMean, Operator


def squeeze_before_expansion(graph: Graph) -> Rewritten:
    """The mean over a pointwise convolution's map becomes the mean over the map that it reads.

    Both are linear, so they change places, and the pointwise convolution of a mean is part of the
    one behind it. In a ShuffleNet unit the mean then reads a quarter of the numbers, and the first
    layer of squeeze and excitation has a quarter of the weights.
    """
    places = 0
    for name in [node.name for node in graph]:
        changed = _moved(graph, name)
        graph = graph.with_nodes(changed)  # at once: what a mean reads may be behind another one
        places += bool(changed)
    return graph, places


def _moved(graph: Graph, name: str) -> dict[str, Node | None]:
    mean = graph.node(name)
    if mean is None or mean.operator != GlobalMean(keeps_map=True):
        return {}
    expand, behind = graph.node(mean.inputs[0]), graph.sole_reader(name)
    if expand is None or behind is None:
        return {}
    wide, reduce = expand.operator, behind.operator
    if (
        not (_keeps_pixels_apart(wide) and _keeps_pixels_apart(reduce))
        or wide.activation
        or reduce.groups != 1
    ):
        return {}
    rows = _dense(wide)
    if rows.shape[1] >= rows.shape[0]:
        return {}
    columns = reduce.weight[:, :, 0, 0]
    combined = replace(
        reduce,
        weight=(columns @ rows)[:, :, None, None],
        bias=columns @ wide.bias + reduce.bias,
    )
    return {
        name: replace(mean, inputs=expand.inputs),
        behind.name: replace(behind, operator=combined),
    }


def _keeps_pixels_apart(operator: Operator) -> TypeGuard[Convolution]:
    """Whether each pixel is made of the one in its place, so that it changes places with a mean."""
    return (
        isinstance(operator, Convolution)
        and operator.kernel == operator.stride == (1, 1)
        and operator.padding == (0, 0)
    )


def _dense(convolution: Convolution) -> NDArray[np.floating]:
    """A grouped pointwise convolution's weight as one matrix (outputs, all inputs)."""
    outputs, group_inputs = convolution.weight.shape[:2]
    dense = np.zeros((outputs, convolution.groups * group_inputs))
    group_outputs = outputs // convolution.groups
    for group in range(convolution.groups):
        rows = slice(group * group_outputs, (group + 1) * group_outputs)
        columns = slice(group * group_inputs, (group + 1) * group_inputs)
        dense[rows, columns] = convolution.weight[rows, :, 0, 0]
    return dense
