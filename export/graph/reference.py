"""What a `Graph` computes: the standard that rewrites, emitters and quantisation are tested by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import (
    AdaptiveAveragePool,
    Add,
    Affine,
    AveragePool,
    ChannelScale,
    Concatenate,
    Convolution,
    Elu,
    Flatten,
    FullyConnected,
    Gather,
    Gelu,
    GlobalMean,
    LeakyRelu,
    LocalResponseNorm,
    MaxPool,
    Multiply,
    Operator,
    Relu,
    Shuffle,
    Sigmoid,
    Slice,
    Tanh,
    shuffle_order,
)

Seen = Callable[[str, Tensor], Tensor]
"""A function that gets each value with its name as it is made, and returns what stands for it."""


def interpret(graph: Graph, images: NDArray[np.floating]) -> NDArray[np.float64]:
    """Images (N, C, H, W) -> the graph's output (N, ...), computed in float64."""
    return evaluate(graph, torch.from_numpy(np.asarray(images, np.float64))).numpy()


def evaluate(graph: Graph, images: Tensor, seen: Seen | None = None) -> Tensor:
    """Images (N, C, H, W) -> the graph's output (N, ...), computed in the images' own type.

    `seen` is shown every value, the images first, and may change it. A value is let go after its
    last reader.
    """
    values = Values(graph)
    values[graph.input] = images if seen is None else seen(graph.input, images)
    for node in graph:
        value = compute(node.operator, values.read(node.inputs))
        values[node.name] = value if seen is None else seen(node.name, value)
    return values[graph.output]


class Values(dict[str, Tensor]):
    """The values of a graph that somebody still has to read."""

    def __init__(self, graph: Graph) -> None:
        self._readers = Counter(name for node in graph for name in node.inputs)
        self._readers[graph.output] += 1

    def read(self, names: tuple[str, ...]) -> list[Tensor]:
        """The inputs of one node; those that it is the last to read are let go."""
        inputs = [self[name] for name in names]
        for name in names:
            self._readers[name] -= 1
            if not self._readers[name]:
                del self[name]
        return inputs


def compute(operator: Operator, inputs: list[Tensor]) -> Tensor:
    """What an operator makes of its inputs (N, ...), in their type."""
    x = inputs[0]
    match operator:
        case Convolution(weight, bias, stride, padding, groups, activation, dilation):
            weights = _as(x, weight), _as(x, bias)
            y = functional.conv2d(x, *weights, stride, padding, dilation, groups)
            return _activated(y, activation)
        case FullyConnected(weight, bias, activation):
            return _activated(functional.linear(x, _as(x, weight), _as(x, bias)), activation)
        case MaxPool(kernel, stride, (top, left), non_negative, (below, right)):
            value = 0.0 if non_negative else -float("inf")
            sides = (left, left + right, top, top + below)
            return functional.max_pool2d(functional.pad(x, sides, value=value), kernel, stride)
        case AveragePool(kernel, stride, padding):
            return functional.avg_pool2d(x, kernel, stride, padding)
        case AdaptiveAveragePool(size):
            return functional.adaptive_avg_pool2d(x, size)
        case GlobalMean(keeps_map):
            return x.mean(dim=(2, 3), keepdim=keeps_map)
        case Flatten():
            return x.flatten(1)
        case Add(activation):
            return _activated(x + inputs[1], activation)
        case ChannelScale(activation):
            return _activated(x * inputs[1], activation)
        case Multiply(activation):
            return _activated(x * inputs[1], activation)
        case Concatenate():
            return torch.cat(inputs, dim=1)
        case Relu():
            return _activated(x, operator)
        case LeakyRelu(slopes):
            return functional.prelu(x, _as(x, slopes))
        case Elu(alpha):
            return functional.elu(x, alpha)
        case Gelu(by_tanh):
            return functional.gelu(x, approximate="tanh" if by_tanh else "none")
        case Sigmoid():
            return x.sigmoid()
        case Tanh():
            return x.tanh()
        case Shuffle(groups):
            return x[:, torch.from_numpy(shuffle_order(x.shape[1], groups))]
        case Slice(begin, end):
            return x[:, begin:end]
        case Gather(order):
            return x[:, list(order)]
        case LocalResponseNorm(size, alpha, beta, k):
            return functional.local_response_norm(x, size, alpha, beta, k)
        case Affine(scale, shift, activation):
            around = [1] * (x.dim() - 2)
            y = x * _as(x, scale).reshape(-1, *around) + _as(x, shift).reshape(-1, *around)
            return _activated(y, activation)


def _activated(x: Tensor, activation: Relu | None) -> Tensor:
    return x if activation is None else x.clamp(0.0, activation.limit)


def _as(x: Tensor, array: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(array).to(x.dtype)
