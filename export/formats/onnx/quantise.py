"""Float ONNX -> int8, by ONNX Runtime's own quantiser: QDQ, weights per channel."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.calibrate import TensorsData, save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process

from shufflenet_deploy.export.quantisation.ranges import carried
from shufflenet_deploy.models.quantisation import Range

ACTIVATIONS = {
    # On ARM64 all layers have kernels for signed activations; on x86-64 depthwise convolutions
    # and poolings have them only for unsigned ones, and fall back to float else.
    "arm64": QuantType.QInt8,
    "x86-64": QuantType.QUInt8,
}

_LAYERS = ("Conv", "Gemm")
_KEEP_RANGE = ("Cast", "Relu", "Reshape", "Transpose")
"""The operators that the emitter inserts beside a node's own, and which stay inside its range."""


def scheme(target: str) -> str:
    """What a manifest says."""
    signs = "S8S8" if ACTIVATIONS[target] is QuantType.QInt8 else "U8S8"
    return f"QDQ {signs}, weights per channel"


def quantise(model: onnx.ModelProto, ranges: Mapping[str, Range], target: str) -> onnx.ModelProto:
    """The model in int8, its input and output still float32.

    `ranges` are those of the model's values, but for what the emitter inserted.
    """
    known = carried(ranges, _links(model))
    limits = {name: tuple(np.float32(end) for end in ends) for name, ends in known.items()}
    with TemporaryDirectory() as folder, _quiet():
        source, prepared, result = (Path(folder) / name for name in ("a.onnx", "b.onnx", "c.onnx"))
        cache = Path(folder) / "ranges.json"
        save_tensors_data(TensorsData(CalibrationMethod.MinMax, limits), cache)
        onnx.save(model, source)
        # The batch stays free, so shapes are inferred by onnx and not symbolically.
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        _give_each_its_own_weights(prepared)
        quantize_static(
            prepared,
            result,
            calibration_data_reader=None,
            calibration_cache_path=cache,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=ACTIVATIONS[target],
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=_of_unknown_range(model, known),
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
        return onnx.load(result)


def _links(model: onnx.ModelProto) -> list[tuple[str, str]]:
    """What such operators read and make."""
    return [
        (node.input[0], node.output[0]) for node in model.graph.node if node.op_type in _KEEP_RANGE
    ]


def _give_each_its_own_weights(path: Path) -> None:
    """Undo that layers of equal weights share them, which preparing has them do.

    ONNX Runtime 1.32 does not load a quantised model of such on an x86-64 processor without VNNI
    ("Attempt to replace the existing tensor").
    """
    model = onnx.load(path)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    seen: set[str] = set()
    for node in model.graph.node:
        if node.op_type not in _LAYERS:
            continue
        for index, name in enumerate(node.input):
            if name in weights and name in seen:
                copy = onnx.TensorProto()
                copy.CopyFrom(weights[name])
                copy.name = node.input[index] = f"{node.name}.input_{index}"
                model.graph.initializer.append(copy)
            seen.add(name)
    onnx.save(model, path)


def _of_unknown_range(model: onnx.ModelProto, known: Mapping[str, Range]) -> list[str]:
    """The operators that read or make what has no range: the steps of an activation, in float."""
    graph = model.graph
    unknown = {name for node in graph.node for name in node.output if name not in known}
    return [node.name for node in graph.node if unknown.intersection([*node.input, *node.output])]


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser prints to stdout, where results belong, and warns through the root logger."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


def with_input_type(model: onnx.ModelProto, input_type: str) -> onnx.ModelProto:
    """The model with an input of ``uint8`` or ``int8``, whose numbers become floats first."""
    if input_type == "float32":
        return model
    (images,) = model.graph.input
    inside = f"{images.name}_float"
    for node in model.graph.node:
        node.input[:] = [inside if name == images.name else name for name in node.input]
    cast = onnx.helper.make_node(
        "Cast", [images.name], [inside], "cast_in", to=onnx.TensorProto.FLOAT
    )
    model.graph.node.insert(0, cast)
    images.type.tensor_type.elem_type = getattr(onnx.TensorProto, input_type.upper())
    onnx.checker.check_model(model)
    return model
