"""Graph -> TFLite: channels last, a free batch."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from shufflenet_deploy.export.formats.tflite.builder import TFLiteBuilder
from shufflenet_deploy.export.formats.tflite.emission import Emission, Op, channels_last
from shufflenet_deploy.export.formats.tflite.operators import EMISSIONS
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.runtime.errors import ExportError

OUTPUT = "logits"

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
    builder = TFLiteBuilder(half)
    emission = Emission(graph, builder, to_quantise=to_quantise)
    shape = channels_last(graph.input_shape)
    images = builder.activation(graph.input, shape, _INPUT_TYPES[input_type])
    values = {graph.input: images}
    if input_type != "float32":
        options = schema.CastOptionsT()
        options.inDataType = _INPUT_TYPES[input_type]
        options.outDataType = schema.TensorType.FLOAT32
        cast = builder.operator(Op.CAST, [images], f"{graph.input}_float", shape, options)
        values[graph.input] = cast
    for node in graph:
        operator = node.operator
        if type(operator) not in EMISSIONS:
            raise ExportError(f"cannot emit {type(operator).__name__} ({node.name}) as TFLite")
        inputs = [values[name] for name in node.inputs]
        values[node.name] = EMISSIONS[type(operator)](emission, node, operator, *inputs)
    return builder.finish({graph.input: images}, {OUTPUT: values[graph.output]})
