"""What a graph's operators become in ONNX: one function each, and the table of them."""

from __future__ import annotations

import math
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

    def number(self, name: str, value: float) -> str:
        """One number, rounded as weights are; its name."""
        self.weights.append(numpy_helper.from_array(np.array(value, self.dtype), name))
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


def _activated(
    emission: Emission,
    node: Node,
    type_: str,
    inputs: list[str],
    activation: Relu | None,
    result: str | None = None,
    **attributes: Any,
) -> Nodes:
    """An operator and perhaps an activation, which ONNX has no argument for.

    They make the value `result`, by default the node's.
    """
    result = result or node.name
    linear = f"{result}_linear" if activation else result
    yield helper.make_node(type_, inputs, [linear], node.name, **attributes)
    if activation:
        yield _limited(emission, f"{node.name}_relu", linear, result, activation)


def _limited(
    emission: Emission, name: str, source: str, result: str, activation: Relu
) -> onnx.NodeProto:
    if activation.limit is None:
        return helper.make_node("Relu", [source], [result], name)
    ends = [
        emission.number(f"{name}.{end}", value)
        for end, value in (("low", 0.0), ("high", activation.limit))
    ]
    return helper.make_node("Clip", [source, *ends], [result], name)


def _convolution(emission: Emission, node: Node, convolution: Convolution) -> Nodes:
    weight = emission.weight(f"{node.name}.weight", convolution.weight)
    bias = emission.weight(f"{node.name}.bias", convolution.bias)
    inputs = [*node.inputs, weight, bias]
    windows = _windows(convolution)
    if convolution.dilation != (1, 1):
        windows["dilations"] = convolution.dilation
    return _activated(
        emission,
        node,
        "Conv",
        inputs,
        convolution.activation,
        group=convolution.groups,
        **windows,
    )


def _affine(emission: Emission, node: Node, affine: Affine) -> Nodes:
    """A 1x1 convolution of each channel alone, which has a step for each in 8 bits."""
    name, (x,), channels = node.name, node.inputs, len(affine.scale)
    scale = emission.weight(f"{name}.scale", affine.scale.reshape(-1, 1, 1, 1))
    shift = emission.weight(f"{name}.shift", affine.shift)
    is_map = len(emission.shapes[name]) == 3
    map_, made = (x, name) if is_map else (f"{name}_map", f"{name}_made")
    if not is_map:
        sides = emission.integers(f"{name}.map", (0, channels, 1, 1))
        yield helper.make_node("Reshape", [x, sides], [map_], map_)
    layer = {"group": channels, "kernel_shape": (1, 1)}
    inputs = [map_, scale, shift]
    yield from _activated(emission, node, "Conv", inputs, affine.activation, made, **layer)
    if not is_map:
        sides = emission.integers(f"{name}.vector", (0, channels))
        yield helper.make_node("Reshape", [made, sides], [name], f"{name}_vector")


def _fully_connected(emission: Emission, node: Node, layer: FullyConnected) -> Nodes:
    weight = emission.weight(f"{node.name}.weight", layer.weight)
    bias = emission.weight(f"{node.name}.bias", layer.bias)
    inputs = [*node.inputs, weight, bias]
    return _activated(emission, node, "Gemm", inputs, layer.activation, transB=1)


def _add(emission: Emission, node: Node, add: Add) -> Nodes:
    return _activated(emission, node, "Add", list(node.inputs), add.activation)


def _multiply(emission: Emission, node: Node, product: Multiply | ChannelScale) -> Nodes:
    return _activated(emission, node, "Mul", list(node.inputs), product.activation)


def _max_pool(emission: Emission, node: Node, pool: MaxPool) -> Nodes:
    (top, left), (below, right) = pool.padding, pool.after
    windows = {**_windows(pool), "pads": (top, left, top + below, left + right)}
    yield helper.make_node("MaxPool", list(node.inputs), [node.name], node.name, **windows)


def _average_pool(emission: Emission, node: Node, pool: AveragePool) -> Nodes:
    inputs, windows = list(node.inputs), _windows(pool)
    yield helper.make_node(
        "AveragePool", inputs, [node.name], node.name, count_include_pad=1, **windows
    )


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


def _relu(emission: Emission, node: Node, relu: Relu) -> Nodes:
    yield _limited(emission, node.name, node.inputs[0], node.name, relu)


def _leaky_relu(emission: Emission, node: Node, relu: LeakyRelu) -> Nodes:
    if relu.slope is not None:
        slope = relu.slope
        yield helper.make_node("LeakyRelu", node.inputs, [node.name], node.name, alpha=slope)
        return
    dimensions = len(emission.shapes[node.name]) - 1
    slopes = relu.slopes.reshape(-1, *[1] * dimensions)
    inputs = [*node.inputs, emission.weight(f"{node.name}.slopes", slopes)]
    yield helper.make_node("PRelu", inputs, [node.name], node.name)


def _elu(emission: Emission, node: Node, elu: Elu) -> Nodes:
    yield helper.make_node("Elu", node.inputs, [node.name], node.name, alpha=elu.alpha)


def _gelu(emission: Emission, node: Node, gelu: Gelu) -> Nodes:
    """x * (1 + erf(x / sqrt 2)) / 2, as engines recognise it: ONNX has Gelu from opset 20 on."""
    name, (x,) = node.name, node.inputs
    inner = x
    if gelu.by_tanh:  # (x + 0.044715 x^3) * sqrt(2 / pi)
        three = emission.number(f"{name}.three", 3.0)
        small = emission.number(f"{name}.small", 0.044715)
        yield helper.make_node("Pow", [x, three], [f"{name}_cube"], f"{name}_cube")
        yield helper.make_node("Mul", [f"{name}_cube", small], [f"{name}_less"], f"{name}_less")
        inner = f"{name}_sum"
        yield helper.make_node("Add", [x, f"{name}_less"], [inner], inner)
    factor = math.sqrt(2 / math.pi) if gelu.by_tanh else math.sqrt(0.5)
    scale = emission.number(f"{name}.scale", factor)
    one, half = emission.number(f"{name}.one", 1.0), emission.number(f"{name}.half", 0.5)
    steps = (
        ("Mul", [inner, scale], "scaled"),
        ("Tanh" if gelu.by_tanh else "Erf", [f"{name}_scaled"], "curve"),
        ("Add", [f"{name}_curve", one], "raised"),
        ("Mul", [x, f"{name}_raised"], "doubled"),
    )
    for type_, inputs, suffix in steps:
        yield helper.make_node(type_, inputs, [f"{name}_{suffix}"], f"{name}_{suffix}")
    yield helper.make_node("Mul", [f"{name}_doubled", half], [name], name)


def _slice(emission: Emission, node: Node, part: Slice) -> Nodes:
    name = node.name
    ends = [
        emission.integers(f"{name}.{what}", (number,))
        for what, number in (("begin", part.begin), ("end", part.end), ("axis", 1))
    ]
    yield helper.make_node("Slice", [*node.inputs, *ends], [name], name)


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
    Affine: _affine,
    Add: _add,
    Multiply: _multiply,
    ChannelScale: _multiply,
    MaxPool: _max_pool,
    AveragePool: _average_pool,
    AdaptiveAveragePool: _adaptive_average_pool,
    GlobalMean: _global_mean,
    LocalResponseNorm: _local_response_norm,
    Concatenate: _plain("Concat", axis=1),
    Relu: _relu,
    LeakyRelu: _leaky_relu,
    Elu: _elu,
    Gelu: _gelu,
    Sigmoid: _plain("Sigmoid"),
    Tanh: _plain("Tanh"),
    Flatten: _plain("Flatten", axis=1),  # not a reshape to sizes of today: the batch stays free
    Slice: _slice,
    Gather: _gather,
    Shuffle: _shuffle,
}
