"""What a `Graph` computes, in float64: the standard that rewrites and emitters are tested by."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import (
    AdaptiveAveragePool,
    Add,
    AveragePool,
    BatchNorm,
    ChannelScale,
    Concatenate,
    Convolution,
    Flatten,
    FullyConnected,
    Gather,
    GlobalMean,
    LocalResponseNorm,
    MaxPool,
    Operator,
    Relu,
    Shuffle,
    Sigmoid,
    shuffle_order,
)


def interpret(graph: Graph, images: NDArray[np.floating]) -> NDArray[np.float64]:
    """Images (N, C, H, W) -> the graph's output (N, ...), computed in float64."""
    values = {graph.input: torch.from_numpy(np.asarray(images, np.float64))}
    for node in graph:
        values[node.name] = _compute(node.operator, [values[name] for name in node.inputs])
    return values[graph.output].numpy()


def _compute(operator: Operator, inputs: list[Tensor]) -> Tensor:
    x = inputs[0]
    match operator:
        case Convolution(weight, bias, stride, padding, groups, relu):
            y = functional.conv2d(x, _double(weight), _double(bias), stride, padding, groups=groups)
            return y.relu() if relu else y
        case FullyConnected(weight, bias, relu):
            y = functional.linear(x, _double(weight), _double(bias))
            return y.relu() if relu else y
        case MaxPool(kernel, stride, (vertical, horizontal), non_negative):
            value = 0.0 if non_negative else -float("inf")
            sides = (horizontal, horizontal, vertical, vertical)
            return functional.max_pool2d(functional.pad(x, sides, value=value), kernel, stride)
        case AveragePool(kernel, stride, padding):
            return functional.avg_pool2d(x, kernel, stride, padding)
        case AdaptiveAveragePool(size):
            return functional.adaptive_avg_pool2d(x, size)
        case GlobalMean(keeps_map):
            return x.mean(dim=(2, 3), keepdim=keeps_map)
        case Flatten():
            return x.flatten(1)
        case Add(relu):
            y = x + inputs[1]
            return y.relu() if relu else y
        case ChannelScale(relu):
            y = x * inputs[1]
            return y.relu() if relu else y
        case Concatenate():
            return torch.cat(inputs, dim=1)
        case Relu():
            return x.relu()
        case Sigmoid():
            return x.sigmoid()
        case Shuffle(groups):
            return x[:, torch.from_numpy(shuffle_order(x.shape[1], groups))]
        case Gather(order):
            return x[:, list(order)]
        case LocalResponseNorm(size, alpha, beta, k):
            return functional.local_response_norm(x, size, alpha, beta, k)
        case BatchNorm(scale, shift):
            return x * _double(scale)[:, None, None] + _double(shift)[:, None, None]


def _double(array: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.asarray(array, np.float64))
