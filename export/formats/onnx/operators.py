"""What a graph's operators become in ONNX: one function each, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from shufflenet_deploy.export.graph.graph import Graph, Node, shapes
from shufflenet_deploy.export.graph.operators import (
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
    LocalResponseNorm,
    MaxPool,
    Operator,
    Relu,
    Shuffle,
    Sigmoid,
)
from shufflenet_deploy.export.graph.windows import adaptive_average_weights

Nodes = Iterator[onnx.NodeProto]
"""What computes a node of the graph in ONNX; the last one's output has that node's name."""


class Emission:
    """A model in the making: the weights of the nodes emitted so far, and every value's shape."""

    def __init__(self, graph: Graph, dtype: type[np.floating[Any]]) -> None:
        self.dtype = dtype
        self.shapes = shapes(graph)
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, array: NDArray[np.floating[Any]]) -> str:
        """Weights, rounded; their name."""
        contiguous = np.ascontiguousarray(array, self.dtype)
        self.weights.append(numpy_helper.from_array(contiguous, name))
        return name

    def integers(self, name: str, numbers: tuple[int, ...]) -> str:
        """Arguments that ONNX wants as a tensor; its name."""
        self.weights.append(numpy_helper.from_array(np.array(numbers, np.int64), name))
        return name


def _plain(type_: str, **attributes: Any) -> Callable[[Emission, Node, Operator], Nodes]:
    """The emission of an operator that is one of ONNX's, with the same arguments always."""

    def emit(emission: Emission, node: Node, operator: Operator) -> Nodes:
        yield helper.make_node(type_, list(node.inputs), [node.name], node.name, **attributes)

    return emit


def _with_relu(node: Node, type_: str, inputs: list[str], relu: bool, **attributes: Any) -> Nodes:
    """An operator and perhaps a ReLU, which ONNX has no argument for."""
    result = f"{node.name}_linear" if relu else node.name
    yield helper.make_node(type_, inputs, [result], node.name, **attributes)
    if relu:
        yield helper.make_node("Relu", [result], [node.name], f"{node.name}_relu")


def _convolution(emission: Emission, node: Node, convolution: Convolution) -> Nodes:
    weight = emission.weight(f"{node.name}.weight", convolution.weight)
    bias = emission.weight(f"{node.name}.bias", convolution.bias)
    inputs = [*node.inputs, weight, bias]
    windows = _windows(convolution)
    return _with_relu(node, "Conv", inputs, convolution.relu, group=convolution.groups, **windows)


def _fully_connected(emission: Emission, node: Node, layer: FullyConnected) -> Nodes:
    weight = emission.weight(f"{node.name}.weight", layer.weight)
    bias = emission.weight(f"{node.name}.bias", layer.bias)
    return _with_relu(node, "Gemm", [*node.inputs, weight, bias], layer.relu, transB=1)


def _add(emission: Emission, node: Node, add: Add) -> Nodes:
    return _with_relu(node, "Add", list(node.inputs), add.relu)


def _channel_scale(emission: Emission, node: Node, scale: ChannelScale) -> Nodes:
    return _with_relu(node, "Mul", list(node.inputs), scale.relu)


def _max_pool(emission: Emission, node: Node, pool: MaxPool) -> Nodes:
    return _with_relu(node, "MaxPool", list(node.inputs), False, **_windows(pool))


def _average_pool(emission: Emission, node: Node, pool: AveragePool) -> Nodes:
    inputs, windows = list(node.inputs), _windows(pool)
    return _with_relu(node, "AveragePool", inputs, False, count_include_pad=1, **windows)


def _windows(operator: Convolution | MaxPool | AveragePool) -> dict[str, Any]:
    """The attributes that convolutions and poolings share; pads are top, left, bottom, right."""
    return {
        "kernel_shape": operator.kernel,
        "strides": operator.stride,
        "pads": (*operator.padding, *operator.padding),
    }


def _local_response_norm(emission: Emission, node: Node, norm: LocalResponseNorm) -> Nodes:
    yield helper.make_node(
        "LRN",
        list(node.inputs),
        [node.name],
        node.name,
        size=norm.size,
        alpha=norm.alpha,
        beta=norm.beta,
        bias=norm.k,
    )


def _global_mean(emission: Emission, node: Node, mean: GlobalMean) -> Nodes:
    name, inputs = node.name, list(node.inputs)
    if mean.keeps_map:
        yield helper.make_node("GlobalAveragePool", inputs, [name], name)
    else:
        axes = emission.integers(f"{name}.axes", (2, 3))
        yield helper.make_node("ReduceMean", [*inputs, axes], [name], name, keepdims=0)


def _gather(emission: Emission, node: Node, gather: Gather) -> Nodes:
    channels = emission.integers(f"{node.name}.order", gather.order)
    yield helper.make_node("Gather", [*node.inputs, channels], [node.name], node.name, axis=1)


def _shuffle(emission: Emission, node: Node, shuffle: Shuffle) -> Nodes:
    name, groups = node.name, shuffle.groups
    channels, height, width = emission.shapes[name]
    # 0 keeps the batch, whatever it is.
    split = emission.integers(f"{name}.split", (0, groups, channels // groups, height, width))
    joined = emission.integers(f"{name}.joined", (0, channels, height, width))
    apart, turned = f"{name}_split", f"{name}_turned"
    yield helper.make_node("Reshape", [node.inputs[0], split], [apart], apart)
    yield helper.make_node("Transpose", [apart], [turned], turned, perm=(0, 2, 1, 3, 4))
    yield helper.make_node("Reshape", [turned, joined], [name], name)


def _adaptive_average_pool(emission: Emission, node: Node, pool: AdaptiveAveragePool) -> Nodes:
    """One product of matrices: ONNX has no adaptive pooling."""
    name = node.name
    channels, *before = emission.shapes[node.inputs[0]]
    weights = adaptive_average_weights((before[0], before[1]), pool.size)
    flat = emission.integers(f"{name}.flat", (0, channels, before[0] * before[1]))
    joined = emission.integers(f"{name}.joined", (0, channels, *pool.size))
    matrix = emission.weight(f"{name}.weight", weights.T)
    maps, pooled = f"{name}_flat", f"{name}_pooled"
    yield helper.make_node("Reshape", [node.inputs[0], flat], [maps], maps)
    yield helper.make_node("MatMul", [maps, matrix], [pooled], pooled)
    yield helper.make_node("Reshape", [pooled, joined], [name], name)


EMISSIONS: dict[type[Operator], Callable[[Emission, Node, Any], Nodes]] = {
    Convolution: _convolution,
    FullyConnected: _fully_connected,
    Add: _add,
    ChannelScale: _channel_scale,
    MaxPool: _max_pool,
    AveragePool: _average_pool,
    AdaptiveAveragePool: _adaptive_average_pool,
    GlobalMean: _global_mean,
    LocalResponseNorm: _local_response_norm,
    Concatenate: _plain("Concat", axis=1),
    Relu: _plain("Relu"),
    Sigmoid: _plain("Sigmoid"),
    Flatten: _plain("Flatten", axis=1),  # not a reshape to sizes of today: the batch stays free
    Gather: _gather,
    Shuffle: _shuffle,
}
