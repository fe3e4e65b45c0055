"""Which values of a graph cannot be negative."""

from __future__ import annotations

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import (
    Add,
    Affine,
    AveragePool,
    ChannelScale,
    Concatenate,
    Convolution,
    FullyConnected,
    Gather,
    GlobalMean,
    LocalResponseNorm,
    MaxPool,
    Multiply,
    Relu,
    Shuffle,
    Sigmoid,
    Slice,
)


def non_negative(graph: Graph) -> set[str]:
    """The values that cannot be negative, whatever the images are."""
    positive: set[str] = set()
    for node in graph:
        inputs_are = all(name in positive for name in node.inputs)
        match node.operator:
            case Relu() | Sigmoid():
                is_positive = True
            case Convolution(weight=weight, bias=bias) | FullyConnected(weight=weight, bias=bias):
                weights_are = bool((weight >= 0).all() and (bias >= 0).all())
                is_positive = bool(node.operator.activation) or (inputs_are and weights_are)
            case Affine(scale, shift, activation):
                factors_are = bool((scale >= 0).all() and (shift >= 0).all())
                is_positive = bool(activation) or (inputs_are and factors_are)
            case Add() | Multiply() | ChannelScale():
                is_positive = bool(node.operator.activation) or inputs_are
            case (
                MaxPool()
                | AveragePool()
                | GlobalMean()
                | Shuffle()
                | Slice()
                | Gather()
                | Concatenate()
                | LocalResponseNorm()
            ):
                is_positive = inputs_are
            case _:
                is_positive = False
        if is_positive:
            positive.add(node.name)
    return positive
