"""Graph -> TFLite: channels last, a free batch.

Every operator here is one that XNNPACK takes in fp32, with the arguments that it takes, so that
the whole network is one delegate partition. Reference: the limits that LiteRT's documentation
of its XNNPACK delegate lists.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from shufflenet_deploy.export.formats.tflite.builder import TFLiteBuilder
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
    Relu,
    Shape,
    Shuffle,
    Sigmoid,
)
from shufflenet_deploy.export.graph.windows import Pair, adaptive_average_weights, is_same_padding
from shufflenet_deploy.runtime.errors import ExportError

OUTPUT = "logits"

Op = schema.BuiltinOperator
_RELU = schema.ActivationFunctionType.RELU
_NONE = schema.ActivationFunctionType.NONE


_INPUT_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "uint8": schema.TensorType.UINT8,
    "int8": schema.TensorType.INT8,
}


def emit(
    graph: Graph, *, half: bool = False, input_type: str = "float32", to_quantise: bool = False
) -> bytes:
    """The graph as a TFLite model.

    Input ``images`` (N, H, W, 3) of `input_type`, output ``logits`` (N, classes) float32; the
    batch is 1 until it is resized. Weights are rounded to float32, with `half` to float16, here
    and nowhere before. `to_quantise` leaves out what the quantiser does not take.

    Raises `ExportError` for an operator or an argument that TFLite cannot do.
    """
    return _Emitter(graph, half, input_type, to_quantise).model()


class _Emitter:
    """Emits node by node. Values are the builder's tensors."""

    def __init__(self, graph: Graph, half: bool, input_type: str, to_quantise: bool) -> None:
        self._lowest_pad = Op.MIRROR_PAD if to_quantise else Op.PADV2
        self._graph = graph
        self._shapes = shapes(graph)
        self._builder = TFLiteBuilder(half)
        self._input_type = _INPUT_TYPES[input_type]
        self._values: dict[str, int] = {}

    def model(self) -> bytes:
        graph = self._graph
        shape = _nhwc(self._shapes[graph.input])
        images = self._builder.activation(graph.input, shape, self._input_type)
        self._values[graph.input] = images
        if self._input_type != schema.TensorType.FLOAT32:
            options = schema.CastOptionsT()
            options.inDataType = self._input_type
            options.outDataType = schema.TensorType.FLOAT32
            name = f"{graph.input}_float"
            self._values[graph.input] = self._operator(Op.CAST, [images], name, shape, options)
        for node in graph:
            self._values[node.name] = self._emit(node, [self._values[i] for i in node.inputs])
        return self._builder.finish({graph.input: images}, {OUTPUT: self._values[graph.output]})

    def _emit(self, node: Node, inputs: list[int]) -> int:
        """Emit what computes `node`; the tensor of its result."""
        x, name, result = inputs[0], node.name, _nhwc(self._shapes[node.name])
        match node.operator:
            case Convolution() as convolution:
                return self._convolution(node, convolution, x)
            case FullyConnected(weight, bias, relu):
                columns = self._columns_as_nhwc(node, weight)
                return self._fully_connected(name, x, columns, bias, relu, result)
            case MaxPool(kernel, stride, padding, non_negative):
                # Zeros are for what is known not to be negative: XNNPACK takes no other padding.
                mode = Op.PAD if non_negative else self._lowest_pad
                return self._pool(node, Op.MAX_POOL_2D, x, (kernel, stride, padding), mode)
            case AveragePool(kernel, stride, padding):
                # TFLite averages over what is not padding: so the zeros become part of the map.
                return self._pool(node, Op.AVERAGE_POOL_2D, x, (kernel, stride, padding))
            case Add(relu):
                options = schema.AddOptionsT()
                options.fusedActivationFunction = _RELU if relu else _NONE
                return self._operator(Op.ADD, inputs, name, result, options)
            case ChannelScale(relu):
                return self._multiply(name, x, inputs[1], result, relu)
            case Concatenate():
                options = schema.ConcatenationOptionsT()
                options.axis = 3
                return self._operator(Op.CONCATENATION, inputs, name, result, options)
            case Relu():
                return self._operator(Op.RELU, inputs, name, result)
            case Sigmoid():
                return self._operator(Op.LOGISTIC, inputs, name, result)
            case Shuffle(groups):
                return self._shuffle(node, x, groups)
            case Gather(order):
                options = schema.GatherOptionsT()
                options.axis = 3
                channels = self._constant(f"{name}.order", np.array(order, np.int32))
                return self._operator(Op.GATHER, [x, channels], name, result, options)
            case GlobalMean(keeps_map):
                axes = self._constant(f"{name}.axes", np.array([1, 2], np.int32))
                options = schema.ReducerOptionsT()
                options.keepDims = keeps_map
                return self._operator(Op.MEAN, [x, axes], name, result, options)
            case Flatten():
                return self._reshape(name, x, result)
            case AdaptiveAveragePool(size):
                return self._adaptive_average_pool(node, x, size)
            case LocalResponseNorm() as norm:
                return self._local_response_norm(node, norm, x)
            case operator:
                raise ExportError(f"cannot emit {type(operator).__name__} ({name}) as TFLite")

    def _convolution(self, node: Node, convolution: Convolution, x: int) -> int:
        name, before = node.name, self._shapes[node.inputs[0]]
        x, padding = self._padded(
            f"{name}_padded", x, before,
            (convolution.kernel, convolution.stride, convolution.padding),
        )  # fmt: skip
        if convolution.is_depthwise:
            options: Any = schema.DepthwiseConv2DOptionsT()
            options.depthMultiplier = 1
            weight, code = convolution.weight.transpose(1, 2, 3, 0), Op.DEPTHWISE_CONV_2D
        else:
            options = schema.Conv2DOptionsT()
            weight, code = convolution.weight.transpose(0, 2, 3, 1), Op.CONV_2D
        options.padding = padding
        options.strideH, options.strideW = convolution.stride
        options.fusedActivationFunction = _RELU if convolution.relu else _NONE
        weights = self._constant(f"{name}.weight", weight)
        bias = self._constant(f"{name}.bias", convolution.bias)
        return self._operator(code, [x, weights, bias], name, _nhwc(self._shapes[name]), options)

    def _fully_connected(
        self,
        name: str,
        x: int,
        weight: NDArray[Any],
        bias: NDArray[Any],
        relu: bool,
        result: Shape,
    ) -> int:
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = _RELU if relu else _NONE
        weights = self._constant(f"{name}.weight", weight)
        inputs = [x, weights, self._constant(f"{name}.bias", bias)]
        return self._operator(Op.FULLY_CONNECTED, inputs, name, result, options)

    def _columns_as_nhwc(self, node: Node, weight: NDArray[Any]) -> NDArray[Any]:
        """Behind a flattened map, the columns in the order of channels-last values."""
        flatten = self._graph.node(node.inputs[0])
        if flatten is None or not isinstance(flatten.operator, Flatten):
            return weight
        channels, height, width = self._shapes[flatten.inputs[0]]
        columns = weight.reshape(-1, channels, height, width)
        return columns.transpose(0, 2, 3, 1).reshape(weight.shape)

    def _pool(
        self,
        node: Node,
        code: int,
        x: int,
        windows: tuple[Pair, Pair, Pair],
        mode: int = Op.PAD,
    ) -> int:
        name, before = node.name, self._shapes[node.inputs[0]]
        kernel, stride, _ = windows
        x, _ = self._padded(f"{name}_padded", x, before, windows, mode, explicit=True)
        options = schema.Pool2DOptionsT()
        options.padding = schema.Padding.VALID
        options.filterHeight, options.filterWidth = kernel
        options.strideH, options.strideW = stride
        return self._operator(code, [x], name, _nhwc(self._shapes[name]), options)

    def _padded(
        self,
        name: str,
        x: int,
        before: Shape,
        windows: tuple[Pair, Pair, Pair],
        mode: int = Op.PAD,
        explicit: bool = False,
    ) -> tuple[int, int]:
        """The tensor to read, and the operator's padding: PyTorch's symmetric one is made here.

        XNNPACK fuses a PAD with zeros into the convolution after it.
        """
        kernel, stride, (vertical, horizontal) = windows
        channels, height, width = before
        if (vertical, horizontal) == (0, 0):
            return x, schema.Padding.VALID
        if not explicit and is_same_padding((height, width), kernel, stride, windows[2]):
            return x, schema.Padding.SAME
        sides = np.array([[0, 0], [vertical, vertical], [horizontal, horizontal], [0, 0]], np.int32)
        inputs = [x, self._constant(f"{name}.sides", sides)]
        shape = _nhwc((channels, height + 2 * vertical, width + 2 * horizontal))
        options: Any = schema.PadOptionsT()
        if mode == Op.PADV2:
            lowest = np.array([np.finfo(np.float32).min])
            inputs.append(self._constant(f"{name}.value", lowest))
            options = schema.PadV2OptionsT()
        elif mode == Op.MIRROR_PAD:
            # The edge repeats what is in the window already and never wins. It is slower than the
            # lowest number, and the one that has quantisation parameters.
            options = schema.MirrorPadOptionsT()
            options.mode = schema.MirrorPadMode.SYMMETRIC
        return self._operator(mode, inputs, name, shape, options), schema.Padding.VALID

    def _shuffle(self, node: Node, x: int, groups: int) -> int:
        """[-1, g, C/g], transposed: three dimensions tie with five, and the batch stays free."""
        name = node.name
        channels, height, width = self._shapes[name]
        pixels, each = height * width, channels // groups
        split = self._reshape(f"{name}_split", x, (pixels, groups, each))
        turned = self._transpose(f"{name}_turned", split, (0, 2, 1), (pixels, each, groups))
        return self._reshape(name, turned, (1, height, width, channels))

    def _adaptive_average_pool(self, node: Node, x: int, size: Pair) -> int:
        """A product of matrices on each channel's map: TFLite has no adaptive pooling."""
        name = node.name
        channels, height, width = self._shapes[node.inputs[0]]
        before, after = height * width, size[0] * size[1]
        maps = self._transpose(f"{name}_maps", x, (0, 3, 1, 2), (1, channels, height, width))
        rows = self._reshape(f"{name}_rows", maps, (channels, before))
        weight = adaptive_average_weights((height, width), size)
        pooled = self._fully_connected(
            f"{name}_pooled", rows, weight, np.zeros(after), False, (channels, after)
        )
        split = self._reshape(f"{name}_split", pooled, (1, channels, after))
        turned = self._transpose(f"{name}_turned", split, (0, 2, 1), (1, after, channels))
        return self._reshape(name, turned, (1, *size, channels))

    def _local_response_norm(self, node: Node, norm: LocalResponseNorm, x: int) -> int:
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
        name, shape = node.name, _nhwc(self._shapes[node.name])
        channels = np.arange(shape[-1])
        # As PyTorch pads: size // 2 before, the rest after.
        distance = channels[None, :] - channels[:, None] + norm.size // 2
        band = np.where((distance >= 0) & (distance < norm.size), norm.alpha / norm.size, 0.0)
        square = self._multiply(f"{name}_square", x, x, shape)
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.VALID
        options.strideH = options.strideW = 1
        inputs = [
            square,
            self._constant(f"{name}.band", band[:, None, None, :]),
            self._constant(f"{name}.k", np.full(shape[-1], norm.k)),
        ]
        total = self._operator(Op.CONV_2D, inputs, f"{name}_sum", shape, options)
        half = self._operator(Op.RSQRT, [total], f"{name}_half", shape)
        quarter = self._operator(Op.SQRT, [half], f"{name}_quarter", shape)
        power = self._multiply(f"{name}_power", half, quarter, shape)
        return self._multiply(name, x, power, shape)

    def _multiply(
        self, name: str, first: int, second: int, shape: Shape, relu: bool = False
    ) -> int:
        options = schema.MulOptionsT()
        options.fusedActivationFunction = _RELU if relu else _NONE
        return self._operator(Op.MUL, [first, second], name, shape, options)

    def _transpose(self, name: str, x: int, order: tuple[int, ...], result: Shape) -> int:
        permutation = self._constant(f"{name}.order", np.array(order, np.int32))
        options = schema.TransposeOptionsT()
        return self._operator(Op.TRANSPOSE, [x, permutation], name, result, options)

    def _reshape(self, name: str, x: int, result: Shape) -> int:
        """To `result`, in which the first dimension follows the batch."""
        options = schema.ReshapeOptionsT()
        options.newShape = [-1, *result[1:]]
        shape = self._constant(f"{name}.shape", np.array(options.newShape, np.int32))
        return self._operator(Op.RESHAPE, [x, shape], name, result, options)

    def _operator(
        self, code: int, inputs: list[int], name: str, shape: Shape, options: Any = None
    ) -> int:
        return self._builder.operator(code, inputs, name, shape, options)

    def _constant(self, name: str, array: NDArray[Any]) -> int:
        return self._builder.constant(name, array)


def _nhwc(shape: Shape) -> Shape:
    """A value's shape as the tensor of one image has it: batch in front, channels last."""
    channels, *size = shape
    return (1, *size, channels)
