"""What a graph's operators become in TFLite: one function each, and the table of them.

Every operator here is one that XNNPACK takes in fp32, with the arguments that it takes, so that
the whole network is one delegate partition. Reference: the limits that LiteRT's documentation
of its XNNPACK delegate lists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from shufflenet_deploy.export.formats.tflite.emission import Emission, Op, fused
from shufflenet_deploy.export.graph.graph import Graph, Node
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
    Shape,
    Shuffle,
    Sigmoid,
    Slice,
    Tanh,
)
from shufflenet_deploy.export.graph.windows import adaptive_average_weights
from shufflenet_deploy.runtime.errors import ExportError


def _convolution(emission: Emission, node: Node, convolution: Convolution, x: int) -> int:
    x, padding = emission.padded(node, x, convolution)
    if convolution.is_depthwise:
        options: Any = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
        weight, code = convolution.weight.transpose(1, 2, 3, 0), Op.DEPTHWISE_CONV_2D
    else:
        options = schema.Conv2DOptionsT()
        weight, code = convolution.weight.transpose(0, 2, 3, 1), Op.CONV_2D
    options.padding = padding
    options.strideH, options.strideW = convolution.stride
    options.dilationHFactor, options.dilationWFactor = convolution.dilation
    options.fusedActivationFunction = fused(convolution.activation, node.name)
    weights = emission.constant(f"{node.name}.weight", weight)
    bias = emission.constant(f"{node.name}.bias", convolution.bias)
    return emission.operator(code, [x, weights, bias], node.name, emission.result(node), options)


def _affine(emission: Emission, node: Node, affine: Affine, x: int) -> int:
    """A 1x1 convolution of each channel alone, which has a step for each in 8 bits."""
    name, result = node.name, emission.result(node)
    is_map = len(result) == 4
    made, shape = (name, result) if is_map else (f"{name}_made", (1, 1, 1, result[-1]))
    if not is_map:
        x = emission.reshape(f"{name}_map", x, shape)
    scale = emission.constant(f"{name}.scale", affine.scale.reshape(1, 1, 1, -1))
    shift = emission.constant(f"{name}.shift", affine.shift)
    options = schema.DepthwiseConv2DOptionsT()
    options.depthMultiplier = options.strideH = options.strideW = 1
    options.padding = schema.Padding.VALID
    options.fusedActivationFunction = fused(affine.activation, name)
    convolved = emission.operator(Op.DEPTHWISE_CONV_2D, [x, scale, shift], made, shape, options)
    return convolved if is_map else emission.reshape(name, convolved, result)


def _fully_connected(emission: Emission, node: Node, layer: FullyConnected, x: int) -> int:
    weight, result = _columns_as_nhwc(emission, node, layer.weight), emission.result(node)
    return emission.fully_connected(node.name, x, weight, layer.bias, result, layer.activation)


def _columns_as_nhwc(emission: Emission, node: Node, weight: NDArray[Any]) -> NDArray[Any]:
    """Behind a flattened map, the columns in the order of channels-last values."""
    flatten = emission.graph.node(node.inputs[0])
    if flatten is None or not isinstance(flatten.operator, Flatten):
        return weight
    if not _meets_its_columns(emission.graph, flatten.name):
        return weight
    channels, height, width = emission.shapes[flatten.inputs[0]]
    columns = weight.reshape(-1, channels, height, width)
    return columns.transpose(0, 2, 3, 1).reshape(weight.shape)


def _max_pool(emission: Emission, node: Node, pool: MaxPool, x: int) -> int:
    # Zeros are for what is known not to be negative: XNNPACK takes no other padding but its own.
    lowest = Op.MIRROR_PAD if emission.to_quantise else Op.PADV2
    mode = Op.PAD if pool.non_negative else lowest
    x, padding = emission.padded(node, x, pool, mode)
    return _pool(emission, node, pool, x, Op.MAX_POOL_2D, padding)


def _average_pool(emission: Emission, node: Node, pool: AveragePool, x: int) -> int:
    # TFLite averages over what is not padding: so the zeros become part of the map.
    x, padding = emission.padded(node, x, pool, Op.PAD, explicit=True)
    return _pool(emission, node, pool, x, Op.AVERAGE_POOL_2D, padding)


def _pool(
    emission: Emission, node: Node, pool: MaxPool | AveragePool, x: int, code: int, padding: int
) -> int:
    options = schema.Pool2DOptionsT()
    options.padding = padding
    options.filterHeight, options.filterWidth = pool.kernel
    options.strideH, options.strideW = pool.stride
    return emission.operator(code, [x], node.name, emission.result(node), options)


def _add(emission: Emission, node: Node, add: Add, first: int, second: int) -> int:
    options = schema.AddOptionsT()
    options.fusedActivationFunction = fused(add.activation, node.name)
    return emission.operator(Op.ADD, [first, second], node.name, emission.result(node), options)


def _multiply(
    emission: Emission, node: Node, product: Multiply | ChannelScale, first: int, second: int
) -> int:
    shape = emission.result(node)
    return emission.multiply(node.name, first, second, shape, product.activation)


def _concatenate(emission: Emission, node: Node, operator: Concatenate, *parts: int) -> int:
    options = schema.ConcatenationOptionsT()
    result = emission.result(node)
    options.axis = _channels(result)
    return emission.operator(Op.CONCATENATION, list(parts), node.name, result, options)


def _relu(emission: Emission, node: Node, relu: Relu, x: int) -> int:
    fused(relu, node.name)  # refuses other limits
    code = Op.RELU if relu.limit is None else Op.RELU6
    return emission.operator(code, [x], node.name, emission.result(node))


def _leaky_relu(emission: Emission, node: Node, relu: LeakyRelu, x: int) -> int:
    result = emission.result(node)
    if relu.slope is not None:
        options = schema.LeakyReluOptionsT()
        options.alpha = relu.slope
        return emission.operator(Op.LEAKY_RELU, [x], node.name, result, options)
    slopes = relu.slopes.reshape(*[1] * (len(result) - 2), -1)
    inputs = [x, emission.constant(f"{node.name}.slopes", slopes)]
    return emission.operator(Op.PRELU, inputs, node.name, result)


def _elu(emission: Emission, node: Node, elu: Elu, x: int) -> int:
    if elu.alpha != 1:
        raise ExportError(
            f"cannot emit {node.name}: TFLite has an ELU with alpha 1, and here it is {elu.alpha:g}"
        )
    return emission.operator(Op.ELU, [x], node.name, emission.result(node))


def _gelu(emission: Emission, node: Node, gelu: Gelu, x: int) -> int:
    options = schema.GeluOptionsT()
    options.approximate = gelu.by_tanh
    return emission.operator(Op.GELU, [x], node.name, emission.result(node), options)


def _as_it_is(code: int) -> Callable[[Emission, Node, Operator, int], int]:
    """The emission of an operator of one input that TFLite has too."""

    def emit(emission: Emission, node: Node, operator: Operator, x: int) -> int:
        return emission.operator(code, [x], node.name, emission.result(node))

    return emit


def _global_mean(emission: Emission, node: Node, mean: GlobalMean, x: int) -> int:
    axes = emission.constant(f"{node.name}.axes", np.array([1, 2], np.int32))
    options = schema.ReducerOptionsT()
    options.keepDims = mean.keeps_map
    return emission.operator(Op.MEAN, [x, axes], node.name, emission.result(node), options)


def _flatten(emission: Emission, node: Node, operator: Flatten, x: int) -> int:
    channels, height, width = emission.shapes[node.inputs[0]]
    if not _meets_its_columns(emission.graph, node.name) and height * width > 1:
        shape = (1, channels, height, width)
        x = emission.transpose(f"{node.name}_maps", x, (0, 3, 1, 2), shape)
    return emission.reshape(node.name, x, emission.result(node))


def _meets_its_columns(graph: Graph, name: str) -> bool:
    """Whether only layers read the flattened map whose columns can have its order instead."""
    readers = [reader.operator for reader in graph.readers(name)]
    return name != graph.output and all(isinstance(one, FullyConnected) for one in readers)


def _slice(emission: Emission, node: Node, part: Slice, x: int) -> int:
    """STRIDED_SLICE, whose masks leave batch and size as they are: XNNPACK takes no SLICE of it."""
    result = emission.result(node)
    others = len(result) - 1
    numbers = {"begin": part.begin, "end": part.end, "strides": 1}
    inputs = [x]
    for what, number in numbers.items():
        fill = 1 if what == "strides" else 0
        ends = np.array([*[fill] * others, number], np.int32)
        inputs.append(emission.constant(f"{node.name}.{what}", ends))
    options = schema.StridedSliceOptionsT()
    options.beginMask = options.endMask = (1 << others) - 1
    return emission.operator(Op.STRIDED_SLICE, inputs, node.name, result, options)


def _gather(emission: Emission, node: Node, gather: Gather, x: int) -> int:
    options = schema.GatherOptionsT()
    result = emission.result(node)
    options.axis = _channels(result)
    channels = emission.constant(f"{node.name}.order", np.array(gather.order, np.int32))
    return emission.operator(Op.GATHER, [x, channels], node.name, result, options)


def _channels(shape: Shape) -> int:
    """The axis of the channels: the last of maps, (N, H, W, C), and of vectors, (N, C)."""
    return len(shape) - 1


def _shuffle(emission: Emission, node: Node, shuffle: Shuffle, x: int) -> int:
    """[-1, g, C/g], transposed: three dimensions tie with five, and the batch stays free."""
    name, groups = node.name, shuffle.groups
    channels, height, width = emission.shapes[name]
    pixels, group_channels = height * width, channels // groups
    split = emission.reshape(f"{name}_split", x, (pixels, groups, group_channels))
    turned = emission.transpose(
        f"{name}_turned", split, (0, 2, 1), (pixels, group_channels, groups)
    )
    return emission.reshape(name, turned, (1, height, width, channels))


def _adaptive_average_pool(
    emission: Emission, node: Node, pool: AdaptiveAveragePool, x: int
) -> int:
    """A product of matrices on each channel's map: TFLite has no adaptive pooling."""
    name = node.name
    channels, height, width = emission.shapes[node.inputs[0]]
    before, after = height * width, pool.size[0] * pool.size[1]
    maps = emission.transpose(f"{name}_maps", x, (0, 3, 1, 2), (1, channels, height, width))
    rows = emission.reshape(f"{name}_rows", maps, (channels, before))
    weight = adaptive_average_weights((height, width), pool.size)
    pooled = emission.fully_connected(
        f"{name}_pooled", rows, weight, np.zeros(after), (channels, after)
    )
    split = emission.reshape(f"{name}_split", pooled, (1, channels, after))
    turned = emission.transpose(f"{name}_turned", split, (0, 2, 1), (1, after, channels))
    return emission.reshape(name, turned, (1, *pool.size, channels))


def _local_response_norm(emission: Emission, node: Node, norm: LocalResponseNorm, x: int) -> int:
    """x * (k + alpha / size * band(x^2)) ^ -3/4, in operators that XNNPACK has.

    The sum over neighbouring channels is a 1x1 convolution with a banded weight, and the
    power a reciprocal square root times its own square root. TFLite's own operator is not
    delegated and divides the network into three partitions.
    """
    if norm.beta != 0.75:
        raise ExportError(
            f"cannot emit {node.name}: local response normalisation with beta "
            f"{norm.beta}, only 0.75 has a form that XNNPACK runs"
        )
    name, shape = node.name, emission.result(node)
    channels = np.arange(shape[-1])
    # As PyTorch pads: size // 2 before, the rest after.
    distance = channels[None, :] - channels[:, None] + norm.size // 2
    band = np.where((distance >= 0) & (distance < norm.size), norm.alpha / norm.size, 0.0)
    square = emission.multiply(f"{name}_square", x, x, shape)
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = 1
    inputs = [
        square,
        emission.constant(f"{name}.band", band[:, None, None, :]),
        emission.constant(f"{name}.k", np.full(shape[-1], norm.k)),
    ]
    total = emission.operator(Op.CONV_2D, inputs, f"{name}_sum", shape, options)
    half = emission.operator(Op.RSQRT, [total], f"{name}_half", shape)
    quarter = emission.operator(Op.SQRT, [half], f"{name}_quarter", shape)
    power = emission.multiply(f"{name}_power", half, quarter, shape)
    return emission.multiply(name, x, power, shape)


EMISSIONS: dict[type[Operator], Callable[..., int]] = {
    Convolution: _convolution,
    FullyConnected: _fully_connected,
    Affine: _affine,
    MaxPool: _max_pool,
    AveragePool: _average_pool,
    AdaptiveAveragePool: _adaptive_average_pool,
    GlobalMean: _global_mean,
    Flatten: _flatten,
    Add: _add,
    Multiply: _multiply,
    ChannelScale: _multiply,
    Concatenate: _concatenate,
    Relu: _relu,
    LeakyRelu: _leaky_relu,
    Elu: _elu,
    Gelu: _gelu,
    Sigmoid: _as_it_is(Op.LOGISTIC),
    Tanh: _as_it_is(Op.TANH),
    Shuffle: _shuffle,
    Slice: _slice,
    Gather: _gather,
    LocalResponseNorm: _local_response_norm,
}
"""Operator -> what emits it: a function that takes the node, its operator and the tensors that it
reads, and returns that of the result, which has the node's name."""
