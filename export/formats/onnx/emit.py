"""Graph -> ONNX, by onnx.helper: NCHW, weights inside, a free batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

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
from shufflenet_deploy.export.graph.windows import Pair, adaptive_average_weights
from shufflenet_deploy.runtime.errors import ExportError

OPSET = 18
IR_VERSION = 10  # with opset 18, what runtimes of the last years read
OUTPUT = "logits"


_TYPES = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8}


def emit(graph: Graph, *, half: bool = False, input_type: str = "float32") -> onnx.ModelProto:
    """The graph as an ONNX model that has passed the checker.

    Input ``images`` (N, 3, H, W) of `input_type`, output ``logits`` (N, classes) float32.
    Weights are rounded to float32 here and nowhere before; with `half` to float16, in which
    everything between input and output is then computed.
    """
    return _Emitter(graph, half, input_type).model()


class _Emitter:
    def __init__(self, graph: Graph, half: bool, input_type: str) -> None:
        self._graph = graph
        self._float = np.float16 if half else np.float32
        self._input_type = _TYPES[input_type]
        self._shapes = shapes(graph)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        for node in self._graph:
            for emitted in self._emit(node):
                self._nodes.append(emitted)
        source, result = self._graph.input, self._graph.output
        inside = helper.np_dtype_to_tensor_dtype(np.dtype(self._float))
        if self._input_type != inside:
            self._rename(source, f"{source}_float")
            cast = helper.make_node("Cast", [source], [f"{source}_float"], "cast_in", to=inside)
            self._nodes.insert(0, cast)
        if inside == TensorProto.FLOAT:
            self._rename(result, OUTPUT)  # the last node makes the output under its public name
        else:
            to = TensorProto.FLOAT
            self._nodes.append(helper.make_node("Cast", [result], [OUTPUT], "cast_out", to=to))
        graph = helper.make_graph(
            self._nodes,
            "network",
            [_value(source, self._input_type, self._shapes[source])],
            [_value(OUTPUT, TensorProto.FLOAT, self._shapes[result])],
            self._weights,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="shufflenet-deploy",
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _rename(self, old: str, new: str) -> None:
        for node in self._nodes:
            node.output[:] = [new if name == old else name for name in node.output]
            node.input[:] = [new if name == old else name for name in node.input]

    def _emit(self, node: Node) -> Iterator[onnx.NodeProto]:
        """The ONNX nodes that compute `node`; the last one's output has its name."""
        name, operator, inputs = node.name, node.operator, list(node.inputs)
        relu = getattr(operator, "relu", False)
        made = f"{name}_linear" if relu else name
        match operator:
            case Convolution():
                weight = self._weight(f"{name}.weight", operator.weight)
                bias = self._weight(f"{name}.bias", operator.bias)
                yield helper.make_node(
                    "Conv",
                    [*inputs, weight, bias],
                    [made],
                    name,
                    group=operator.groups,
                    **_windows(operator),
                )
            case FullyConnected():
                weight = self._weight(f"{name}.weight", operator.weight)
                bias = self._weight(f"{name}.bias", operator.bias)
                yield helper.make_node("Gemm", [*inputs, weight, bias], [made], name, transB=1)
            case Add():
                yield helper.make_node("Add", inputs, [made], name)
            case ChannelScale():
                yield helper.make_node("Mul", inputs, [made], name)
            case MaxPool():
                yield helper.make_node("MaxPool", inputs, [name], name, **_windows(operator))
            case AveragePool():
                yield helper.make_node(
                    "AveragePool", inputs, [name], name, count_include_pad=1, **_windows(operator)
                )
            case LocalResponseNorm(size, alpha, beta, k):
                yield helper.make_node(
                    "LRN", inputs, [name], name, size=size, alpha=alpha, beta=beta, bias=k
                )
            case Concatenate():
                yield helper.make_node("Concat", inputs, [name], name, axis=1)
            case Relu():
                yield helper.make_node("Relu", inputs, [name], name)
            case Sigmoid():
                yield helper.make_node("Sigmoid", inputs, [name], name)
            case Flatten():
                # Not a reshape to sizes of today: the batch stays free.
                yield helper.make_node("Flatten", inputs, [name], name, axis=1)
            case GlobalMean(keeps_map=True):
                yield helper.make_node("GlobalAveragePool", inputs, [name], name)
            case GlobalMean():
                axes = self._integers(f"{name}.axes", (2, 3))
                yield helper.make_node("ReduceMean", [*inputs, axes], [name], name, keepdims=0)
            case Gather(order):
                channels = self._integers(f"{name}.order", order)
                yield helper.make_node("Gather", [*inputs, channels], [name], name, axis=1)
            case Shuffle(groups):
                yield from self._shuffle(node, groups)
            case AdaptiveAveragePool(size):
                yield from self._adaptive_average_pool(node, size)
            case _:
                raise ExportError(f"cannot emit {type(operator).__name__} ({name}) as ONNX")
        if relu:
            yield helper.make_node("Relu", [made], [name], f"{name}_relu")

    def _shuffle(self, node: Node, groups: int) -> Iterator[onnx.NodeProto]:
        channels, height, width = self._shapes[node.name]
        name = node.name
        # 0 keeps the batch, whatever it is.
        split = self._integers(f"{name}.split", (0, groups, channels // groups, height, width))
        joined = self._integers(f"{name}.joined", (0, channels, height, width))
        apart, turned = f"{name}_split", f"{name}_turned"
        yield helper.make_node("Reshape", [node.inputs[0], split], [apart], apart)
        yield helper.make_node("Transpose", [apart], [turned], turned, perm=(0, 2, 1, 3, 4))
        yield helper.make_node("Reshape", [turned, joined], [name], name)

    def _adaptive_average_pool(self, node: Node, size: Pair) -> Iterator[onnx.NodeProto]:
        """One product of matrices: ONNX has no adaptive pooling."""
        channels, *before = self._shapes[node.inputs[0]]
        name = node.name
        weights = adaptive_average_weights((before[0], before[1]), size)
        flat = self._integers(f"{name}.flat", (0, channels, before[0] * before[1]))
        joined = self._integers(f"{name}.joined", (0, channels, *size))
        matrix = self._weight(f"{name}.weight", weights.T)
        maps, pooled = f"{name}_flat", f"{name}_pooled"
        yield helper.make_node("Reshape", [node.inputs[0], flat], [maps], maps)
        yield helper.make_node("MatMul", [maps, matrix], [pooled], pooled)
        yield helper.make_node("Reshape", [pooled, joined], [name], name)

    def _weight(self, name: str, array: NDArray[np.floating]) -> str:
        contiguous = np.ascontiguousarray(array, self._float)
        self._weights.append(numpy_helper.from_array(contiguous, name))
        return name

    def _integers(self, name: str, numbers: tuple[int, ...]) -> str:
        self._weights.append(numpy_helper.from_array(np.array(numbers, np.int64), name))
        return name


def _value(name: str, type_: int, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, type_, ["N", *shape])


def _windows(operator: Convolution | MaxPool | AveragePool) -> dict[str, Any]:
    """The attributes that convolutions and poolings share; pads are top, left, bottom, right."""
    return {
        "kernel_shape": operator.kernel,
        "strides": operator.stride,
        "pads": (*operator.padding, *operator.padding),
    }
