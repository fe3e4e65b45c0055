"""Graph -> ONNX, by onnx.helper: NCHW, weights inside, a free batch."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from shufflenet_deploy.export.formats.emitter import PRODUCER
from shufflenet_deploy.export.formats.onnx.operators import EMISSIONS, Emission
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import Shape
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

    Raises `ExportError` for an operator that has no emission.
    """
    emission = Emission(graph, np.float16 if half else np.float32)
    nodes: list[onnx.NodeProto] = []
    for node in graph:
        operator = node.operator
        if type(operator) not in EMISSIONS:
            raise ExportError(f"cannot emit {type(operator).__name__} ({node.name}) as ONNX")
        nodes += EMISSIONS[type(operator)](emission, node, operator)
    source, result = graph.input, graph.output
    given, inside = _TYPES[input_type], helper.np_dtype_to_tensor_dtype(np.dtype(emission.dtype))
    if given != inside:
        _rename(nodes, source, f"{source}_float")
        nodes.insert(
            0, helper.make_node("Cast", [source], [f"{source}_float"], "cast_in", to=inside)
        )
    if inside == TensorProto.FLOAT:
        _rename(nodes, result, OUTPUT)  # the last node makes the output under its public name
    else:
        to = TensorProto.FLOAT
        nodes.append(helper.make_node("Cast", [result], [OUTPUT], "cast_out", to=to))
    inputs = [_value(source, given, emission.shapes[source])]
    outputs = [_value(OUTPUT, TensorProto.FLOAT, emission.shapes[result])]
    model = helper.make_model(
        helper.make_graph(nodes, "network", inputs, outputs, emission.weights),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=PRODUCER,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _rename(nodes: list[onnx.NodeProto], old: str, new: str) -> None:
    for node in nodes:
        node.output[:] = [new if name == old else name for name in node.output]
        node.input[:] = [new if name == old else name for name in node.input]


def _value(name: str, type_: int, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, type_, ["N", *shape])
