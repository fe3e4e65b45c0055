"""Float TFLite -> int8, by ai-edge-quantizer: static, weights per channel."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import quantizer, recipe
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.qtyping import TFLOperationName

from shufflenet_deploy.export.formats.tflite.builder import take_uint8
from shufflenet_deploy.export.formats.tflite.emission import Op
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.quantisation.ranges import carried, stays_float
from shufflenet_deploy.models.quantisation import Range

SCHEME = "static int8 activations, int8 weights per channel"

_KEEP_RANGE = (Op.PAD, Op.PADV2, Op.MIRROR_PAD, Op.RESHAPE, Op.TRANSPOSE)
"""The operators that the emitter inserts beside a node's own, and which stay inside its range."""


def quantise(model: bytes, graph: Graph, ranges: Mapping[str, Range], input_type: str) -> bytes:
    """The model in int8, its output still float32 and its input of `input_type`.

    `ranges` are those of the model's values, but for what the emitter inserted.
    """
    made = quantizer.Quantizer(bytearray(model), recipe.static_wi8_ai8())
    edges = [TFLOperationName.OUTPUT]
    if input_type == "float32":
        edges.append(TFLOperationName.INPUT)
    for edge in edges:
        _keep_float(made, ".*", edge)
    for node in graph:
        if stays_float(node.operator):
            # The emitter names what it makes of a node after it.
            _keep_float(made, f"^{node.name}(_[a-z]+)?;?$", TFLOperationName.ALL_SUPPORTED)
    limits = {
        name: {"min": np.float32(low).reshape(1, 1), "max": np.float32(high).reshape(1, 1)}
        for name, (low, high) in carried(ranges, _links(model)).items()
    }
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that keeping all tensors takes memory
        data = bytes(made.quantize(limits).quantized_model)
    return take_uint8(data) if input_type == "uint8" else data


def _links(model: bytes) -> list[tuple[str, str]]:
    """What such operators read and make."""
    read = schema.ModelT.InitFromPackedBuf(model)
    (subgraph,) = read.subgraphs
    names = [tensor.name.decode() for tensor in subgraph.tensors]
    return [
        (names[operator.inputs[0]], names[operator.outputs[0]])
        for operator in subgraph.operators
        if read.operatorCodes[operator.opcodeIndex].builtinCode in _KEEP_RANGE
    ]


def _keep_float(made: quantizer.Quantizer, regex: str, operation: TFLOperationName) -> None:
    made.update_quantization_recipe(
        regex=regex, operation_name=operation, algorithm_key=AlgorithmName.NO_QUANTIZE
    )
