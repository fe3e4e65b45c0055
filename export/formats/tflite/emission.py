"""A TFLite model in the making: what several operators are emitted with.

Values are the builder's tensors, each known by its index.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from shufflenet_deploy.export.formats.tflite.builder import TFLiteBuilder
from shufflenet_deploy.export.graph.graph import Graph, Node, shapes
from shufflenet_deploy.export.graph.operators import AveragePool, Convolution, MaxPool, Relu, Shape
from shufflenet_deploy.export.graph.windows import is_same_padding
from shufflenet_deploy.runtime.errors import ExportError

Op = schema.BuiltinOperator


_FUSED = {
    None: schema.ActivationFunctionType.NONE,
    Relu(): schema.ActivationFunctionType.RELU,
    Relu(6.0): schema.ActivationFunctionType.RELU6,
}


def fused(activation: Relu | None, name: str) -> int:
    """The function that the operator called `name` does itself."""
    if activation not in _FUSED:
        raise ExportError(f"cannot emit {name}: TFLite has a ReLU of at most 6, and no other")
    return int(_FUSED[activation])


def channels_last(shape: Shape) -> Shape:
    """A value's shape as the tensor of one image has it: batch in front, channels last."""
    channels, *size = shape
    return (1, *size, channels)


class Emission:
    """The graph, its values' shapes, and the builder, by way of which all is emitted."""

    def __init__(self, graph: Graph, builder: TFLiteBuilder, *, to_quantise: bool) -> None:
        self.graph = graph
        self.builder = builder
        self.to_quantise = to_quantise
        self.shapes = shapes(graph)

    def result(self, node: Node) -> Shape:
        """The shape of the tensor that the node makes."""
        return channels_last(self.shapes[node.name])

    def operator(
        self, code: int, inputs: list[int], name: str, shape: Shape, options: Any = None
    ) -> int:
        """An operator; the tensor of its result, of `shape`."""
        return self.builder.operator(code, inputs, name, shape, options)

    def constant(self, name: str, array: NDArray[Any]) -> int:
        """Weights or arguments, as a tensor."""
        return self.builder.constant(name, array)

    def fully_connected(
        self,
        name: str,
        x: int,
        weight: NDArray[Any],
        bias: NDArray[Any],
        result: Shape,
        activation: Relu | None = None,
    ) -> int:
        """A product with the matrix `weight` (O, I), and `bias` (O,) added."""
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = fused(activation, name)
        weights = self.constant(f"{name}.weight", weight)
        inputs = [x, weights, self.constant(f"{name}.bias", bias)]
        return self.operator(Op.FULLY_CONNECTED, inputs, name, result, options)

    def multiply(
        self,
        name: str,
        first: int,
        second: int,
        shape: Shape,
        activation: Relu | None = None,
    ) -> int:
        """The product of two values."""
        options = schema.MulOptionsT()
        options.fusedActivationFunction = fused(activation, name)
        return self.operator(Op.MUL, [first, second], name, shape, options)

    def transpose(self, name: str, x: int, order: tuple[int, ...], result: Shape) -> int:
        """The dimensions of `x` in another order."""
        permutation = self.constant(f"{name}.order", np.array(order, np.int32))
        options = schema.TransposeOptionsT()
        return self.operator(Op.TRANSPOSE, [x, permutation], name, result, options)

    def reshape(self, name: str, x: int, result: Shape) -> int:
        """To `result`, in which the first dimension follows the batch."""
        options = schema.ReshapeOptionsT()
        options.newShape = [-1, *result[1:]]
        shape = self.constant(f"{name}.shape", np.array(options.newShape, np.int32))
        return self.operator(Op.RESHAPE, [x, shape], name, result, options)

    def padded(
        self,
        node: Node,
        x: int,
        layer: Convolution | MaxPool | AveragePool,
        mode: int = Op.PAD,
        explicit: bool = False,
    ) -> tuple[int, int]:
        """The tensor to read, and the operator's padding: what is not SAME is made here.

        XNNPACK fuses a PAD with zeros into the convolution after it. `explicit` is for operators
        whose own padding is something else.
        """
        name = f"{node.name}_padded"
        channels, height, width = self.shapes[node.inputs[0]]
        top, left = layer.padding
        window = layer.window if isinstance(layer, Convolution) else layer.kernel
        after = layer.after if isinstance(layer, MaxPool) else (0, 0)
        below, right = top + after[0], left + after[1]
        if (top, left, below, right) == (0, 0, 0, 0):
            return x, schema.Padding.VALID
        if not explicit and is_same_padding(
            (height, width), window, layer.stride, layer.padding, after
        ):
            return x, schema.Padding.SAME
        sides = np.array([[0, 0], [top, below], [left, right], [0, 0]], np.int32)
        inputs = [x, self.constant(f"{name}.sides", sides)]
        shape = channels_last((channels, height + top + below, width + left + right))
        options: Any = schema.PadOptionsT()
        if mode == Op.PADV2:
            lowest = np.array([np.finfo(np.float32).min])
            inputs.append(self.constant(f"{name}.value", lowest))
            options = schema.PadV2OptionsT()
        elif mode == Op.MIRROR_PAD:
            # The edge repeats what is in the window already and never wins. It is slower than the
            # lowest number, and the one that has quantisation parameters.
            options = schema.MirrorPadOptionsT()
            options.mode = schema.MirrorPadMode.SYMMETRIC
        return self.operator(mode, inputs, name, shape, options), schema.Padding.VALID
