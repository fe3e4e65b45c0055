"""What each layer costs where it alone has 8 bits: which one to look at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shufflenet_deploy.export.graph.graph import Graph, Node, shapes
from shufflenet_deploy.export.graph.operators import (
    Add,
    AveragePool,
    ChannelScale,
    Concatenate,
    Convolution,
    FullyConnected,
    GlobalMean,
    Operator,
)
from shufflenet_deploy.export.graph.reference import compute
from shufflenet_deploy.export.quantisation.fitting import round_to_nearest
from shufflenet_deploy.export.quantisation.preparation import Preparation
from shufflenet_deploy.export.quantisation.simulation import keeps_steps
from shufflenet_deploy.export.quantisation.statistics import Advance, Images
from shufflenet_deploy.models.quantisation import Range, rounded
from shufflenet_deploy.runtime.decibels import sqnr_db

MOST_IMAGES = 16
"""Decibels of some images tell layers apart; the whole network runs again for each of them."""

VALUES_BYTES = 512 * 2**20
"""About the most memory that all values of these images take."""

_KINDS: dict[type[Operator], str] = {
    Add: "sum",
    AveragePool: "average pooling",
    ChannelScale: "channel scale",
    Concatenate: "concatenation",
    FullyConnected: "fully connected",
    GlobalMean: "mean",
}


@dataclass(frozen=True)
class LayerCost:
    """One layer alone in 8 bits, all others in float."""

    name: str
    """The value's name in the model's graph."""
    kind: str
    """What computes it, or ``input``."""
    weights_db: float | None
    """The SQNR of the logits where its weights alone are rounded, in dB; None where it has none,
    and where that changes nothing."""
    activation_db: float | None
    """Where its output alone is; None where that keeps the steps of its input, and likewise."""
    saturated: float
    """The share of the output's numbers that are beyond its range."""
    range: Range

    @property
    def cost_db(self) -> float:
        """The lower of both, by which layers are compared."""
        known = [each for each in (self.weights_db, self.activation_db) if each is not None]
        return min(known)


def analyse(
    prepared: Preparation, images: Images, advance: Advance = lambda count: None
) -> tuple[LayerCost, ...]:
    """Each layer's cost on some of the `images`, the costliest first.

    Weights are rounded to the nearest step here: what the layers after one take up of its error is
    not its own merit. `advance` is told of each layer.
    """
    graph = prepared.exact
    count = max(1, min(len(images), MOST_IMAGES, VALUES_BYTES // _bytes_each(graph)))
    nearest = round_to_nearest(graph)
    with torch.inference_mode():
        several = torch.from_numpy(np.concatenate([images[index] for index in range(count)]))
        values = _values(graph, several)
        costs = []
        for index, node in enumerate((None, *graph.nodes)):
            cost = _cost(graph, nearest, index - 1, values, prepared)
            if cost.weights_db is not None or cost.activation_db is not None:
                costs.append(cost)
            if node is not None:
                advance(1)
    return tuple(sorted(costs, key=lambda cost: cost.cost_db))


def _values(graph: Graph, images: Tensor) -> dict[str, Tensor]:
    values = {graph.input: images}
    for node in graph:
        values[node.name] = compute(node.operator, [values[name] for name in node.inputs])
    return values


def _cost(
    graph: Graph, nearest: Graph, index: int, values: dict[str, Tensor], prepared: Preparation
) -> LayerCost:
    """The cost of the node at `index`; -1 is the input."""
    node = graph.nodes[index] if index >= 0 else None
    name = node.name if node else graph.input
    logits = values[graph.output].numpy()
    low, high = prepared.ranges[name]
    value = values[name]

    def left_by(changed: Tensor) -> float | None:
        made = _following(graph, index + 1, values, {name: changed})
        decibels = sqnr_db(logits, made.numpy())
        return decibels if math.isfinite(decibels) else None

    weights_db = activation_db = None
    if node and isinstance(node.operator, Convolution | FullyConnected):
        coarse = nearest.nodes[index].operator
        weights_db = left_by(compute(coarse, [values[name] for name in node.inputs]))
    if node is None or not keeps_steps(node.operator):
        activation_db = left_by(rounded(value, (low, high)))
    half = (high - low) / 510
    beyond = (value < low - half) | (value > high + half)
    return LayerCost(
        name=name,
        kind=_kind(node),
        weights_db=weights_db,
        activation_db=activation_db,
        saturated=float(beyond.float().mean()),
        range=(low, high),
    )


def _following(
    graph: Graph, start: int, values: dict[str, Tensor], changed: dict[str, Tensor]
) -> Tensor:
    """The output where some values are `changed`; from `start` on, what reads them is computed."""
    for node in graph.nodes[start:]:
        if any(name in changed for name in node.inputs):
            inputs = [changed.get(name, values[name]) for name in node.inputs]
            changed[node.name] = compute(node.operator, inputs)
    return changed.get(graph.output, values[graph.output])


def _kind(node: Node | None) -> str:
    if node is None:
        return "input"
    operator = node.operator
    if isinstance(operator, Convolution):
        kernel = "x".join(map(str, operator.kernel))
        if operator.is_depthwise:
            return f"{kernel} depthwise"
        return kernel if operator.groups == 1 else f"{kernel}, {operator.groups} groups"
    return _KINDS.get(type(operator), type(operator).__name__.lower())


def _bytes_each(graph: Graph) -> int:
    """What all values of one image take in float32."""
    return sum(4 * math.prod(shape) for shape in shapes(graph).values())
