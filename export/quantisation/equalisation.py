"""Channels that share a range are scaled to fill it alike, which is exact in real arithmetic.

A positive factor goes through ReLU, pooling, sums, concatenations and shuffles, and is taken back
by the weights that read the channel: Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction" (2019), section 4.1, carried from pairs of layers to all channels
that must have one factor, and with the factors taken from the activations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.export.graph.graph import Graph, Node, shapes
from shufflenet_deploy.export.graph.operators import (
    Activating,
    AdaptiveAveragePool,
    Add,
    AveragePool,
    ChannelScale,
    Concatenate,
    Convolution,
    Flatten,
    FullyConnected,
    Gather,
    GlobalMean,
    LeakyRelu,
    MaxPool,
    Operator,
    Relu,
    Shuffle,
    Slice,
    shuffle_order,
)
from shufflenet_deploy.export.quantisation.statistics import Statistics

Factors = dict[str, NDArray[np.float64]]
"""Value -> the factor of each of its channels, (C,)."""

MOST = 64.0
"""The largest factor: beyond it a channel carries next to nothing."""


def equalise(graph: Graph, factors: Factors) -> Graph:
    """The graph whose every value is the old one times its factors; input and output stay.

    `factors` have to be as `factors_for` makes them: one for channels that become one.
    """
    changed: dict[str, Node | None] = {}
    for node in graph:
        if isinstance(layer := node.operator, Convolution | FullyConnected):
            before, after = factors[node.inputs[0]], factors[node.name]
            groups = layer.groups if isinstance(layer, Convolution) else 1
            outputs, inputs_each = layer.weight.shape[:2]
            read = before.reshape(groups, inputs_each).repeat(outputs // groups, axis=0)
            by = after[:, None] / read
            weight = layer.weight * by.reshape(*by.shape, *[1] * (layer.weight.ndim - 2))
            new = replace(layer, weight=weight, bias=layer.bias * after)
            changed[node.name] = replace(node, operator=new)
    return graph.with_nodes(changed)


def factors_for(graph: Graph, statistics: Statistics, exponent: float) -> Factors:
    """The factors that widen each channel towards its value's whole range.

    Of a channel that only depthwise convolutions read all the way, since their weights have a
    step for each channel. Where others read it, whose weights share a step over channels, by the
    `exponent` of the way: 0 leaves it as it is, 1 goes all the way.
    """
    tied = _Tied(graph)
    fill = np.zeros(tied.count)
    shared = np.zeros(tied.count, bool)
    for name, members in tied.members.items():
        value = statistics[name]
        size = np.maximum(np.abs(value.minima), np.abs(value.maxima)).astype(np.float64)
        np.maximum.at(fill, members, size / max(size.max(), 1e-30))
    for node in graph:
        layer = node.operator
        if isinstance(layer, FullyConnected) or (
            isinstance(layer, Convolution) and not layer.is_depthwise
        ):
            shared[tied.members[node.inputs[0]]] = True
    widest = np.where(fill > 0, np.minimum(1 / np.maximum(fill, 1e-30), MOST), 1.0)
    factors = widest ** np.where(shared, exponent, 1.0)
    factors[tied.fixed] = 1.0
    return {name: factors[members] for name, members in tied.members.items()}


class _Tied:
    """Which channels of which values must have the same factor, by union of sets."""

    def __init__(self, graph: Graph) -> None:
        self._parents: list[int] = [0]  # 0 stands for the factor 1, which cannot be chosen
        first: dict[str, list[int]] = {}
        for name, shape in shapes(graph).items():
            first[name] = list(range(len(self._parents), len(self._parents) + shape[0]))
            self._parents += first[name]
        for name in (graph.input, graph.output):
            for channel in first[name]:
                self._tie(channel, 0)
        for node in graph:
            inputs = [first[name] for name in node.inputs]
            for one, other in _tied_channels(node, inputs, first[node.name]):
                self._tie(one, other)
        self.members = {
            name: np.array([self._root(channel) for channel in channels])
            for name, channels in first.items()
        }
        self.count = len(self._parents)
        self.fixed = self._root(0)

    def _root(self, member: int) -> int:
        parents = self._parents
        while parents[member] != member:
            parents[member] = parents[parents[member]]
            member = parents[member]
        return member

    def _tie(self, one: int, other: int) -> None:
        self._parents[self._root(one)] = self._root(other)


def _tied_channels(
    node: Node, inputs: list[list[int]], output: list[int]
) -> Iterator[tuple[int, int]]:
    """Pairs of channels that an operator forces to have one factor; 0 is the factor 1."""
    operator = node.operator
    if not _lets_factors_through(operator):
        yield from ((channel, 0) for each in (*inputs, output) for channel in each)
        return
    if isinstance(operator, Activating) and _has_limit(operator.activation):
        yield from ((channel, 0) for channel in output)
    match operator:
        case Convolution() | FullyConnected():
            return
        case Concatenate():
            yield from zip([channel for each in inputs for channel in each], output, strict=True)
        case Shuffle(groups):
            order = shuffle_order(len(output), groups)
            yield from (
                (inputs[0][source], made) for source, made in zip(order, output, strict=True)
            )
        case Slice(begin, end):
            yield from zip(inputs[0][begin:end], output, strict=True)
        case Gather(order):
            yield from (
                (inputs[0][source], made) for source, made in zip(order, output, strict=True)
            )
        case Flatten():
            size = len(output) // len(inputs[0])
            yield from ((inputs[0][index // size], made) for index, made in enumerate(output))
        case ChannelScale():
            yield from zip(inputs[0], output, strict=True)
            yield from ((channel, 0) for channel in inputs[1])
        case _:  # sums, ReLU and all that pools: the same channel on all sides
            for each in inputs:
                yield from zip(each, output, strict=True)


def _lets_factors_through(operator: Operator) -> bool:
    """Whether a positive factor of a channel before it becomes one after it."""
    if isinstance(operator, Relu):
        return not _has_limit(operator)
    return isinstance(
        operator,
        Convolution
        | FullyConnected
        | Add
        | ChannelScale
        | Concatenate
        | Flatten
        | Shuffle
        | Slice
        | Gather
        | LeakyRelu
        | MaxPool
        | AveragePool
        | AdaptiveAveragePool
        | GlobalMean,
    )


def _has_limit(activation: Relu | None) -> bool:
    return activation is not None and activation.limit is not None
