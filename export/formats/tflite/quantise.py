"""Float TFLite -> int8, by ai-edge-quantizer: static, weights per channel."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
from ai_edge_quantizer import quantizer, recipe
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.qtyping import TFLOperationName
from numpy.typing import NDArray

from shufflenet_deploy.export.formats.tflite.builder import SIGNATURE, take_uint8
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import LocalResponseNorm
from shufflenet_deploy.export.rewrites.pixels import OFFSETS

SCHEME = "static int8 activations, int8 weights per channel"


def quantise(model: bytes, graph: Graph, inputs: Sequence[NDArray[Any]], input_type: str) -> bytes:
    """The model in int8, its output still float32 and its input of `input_type`.

    `inputs` are images (1, H, W, 3), float32, as the model takes them. Local response
    normalisation stays float: its square and its power need more range than 8 bits have, and
    between quantised layers they would cost more time than they save.
    """
    made = quantizer.Quantizer(bytearray(model), recipe.static_wi8_ai8())
    edges = [TFLOperationName.OUTPUT]
    if input_type == "float32":
        edges.append(TFLOperationName.INPUT)
    for edge in edges:
        _keep_float(made, ".*", edge)
    for node in graph:
        if isinstance(node.operator, LocalResponseNorm):
            # The emitter names what it makes of a node after it.
            _keep_float(made, f"^{node.name}(_[a-z]+)?;?$", TFLOperationName.ALL_SUPPORTED)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that keeping all tensors takes memory
        ranges = made.calibrate({SIGNATURE: _Named(graph.input, inputs)})
        for limits in ranges.values():
            # What is 0 on all images, as the few channels in the middle of squeeze and excitation
            # can be, would get steps so small that XNNPACK refuses the network.
            if np.all(limits["min"] == 0) and np.all(limits["max"] == 0):
                limits["max"] = np.ones_like(limits["max"])
        if input_type != "float32":
            # Of pixels the whole range, so that one step of the input is one of a pixel.
            lowest = -OFFSETS[input_type]
            ranges[graph.input]["min"] = np.full_like(ranges[graph.input]["min"], lowest)
            ranges[graph.input]["max"] = np.full_like(ranges[graph.input]["max"], lowest + 255)
        data = bytes(made.quantize(ranges).quantized_model)
    return take_uint8(data) if input_type == "uint8" else data


def _keep_float(made: quantizer.Quantizer, regex: str, operation: TFLOperationName) -> None:
    made.update_quantization_recipe(
        regex=regex, operation_name=operation, algorithm_key=AlgorithmName.NO_QUANTIZE
    )


class _Named:
    """The images under the input's name; to be gone through twice, first to count them."""

    def __init__(self, name: str, inputs: Sequence[NDArray[Any]]) -> None:
        self._name = name
        self._inputs = inputs

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        return ({self._name: image} for image in self._inputs)
