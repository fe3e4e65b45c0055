"""Float ONNX -> int8, by ONNX Runtime's own quantiser: QDQ, weights per channel."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

PERCENTILE = 99.999
"""Percent of the activations that the range covers: 1.2 dB better than the extremes (measured)."""

CHUNK = 8
"""The most images whose activations are in memory at once: 71 MB each at 2x and 224x224."""

ACTIVATIONS = {
    # On ARM64 all layers have kernels for signed activations; on x86-64 depthwise convolutions
    # and poolings have them only for unsigned ones, and fall back to float else.
    "arm64": QuantType.QInt8,
    "x86-64": QuantType.QUInt8,
}


def scheme(target: str) -> str:
    """What a manifest says."""
    signs = "S8S8" if ACTIVATIONS[target] is QuantType.QInt8 else "U8S8"
    return f"QDQ {signs}, weights per channel, activations percentile {PERCENTILE}"


def quantise(
    model: onnx.ModelProto, inputs: Sequence[NDArray[Any]], target: str
) -> onnx.ModelProto:
    """The model in int8, its input and output still float32.

    `inputs` are images (1, ...) as the model takes them.
    """
    with TemporaryDirectory() as folder, _quiet():
        source, prepared, result = (Path(folder) / name for name in ("a.onnx", "b.onnx", "c.onnx"))
        onnx.save(model, source)
        # The batch stays free, so shapes are inferred by onnx and not symbolically.
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            result,
            _Reader(model.graph.input[0].name, inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=ACTIVATIONS[target],
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={
                "ActivationSymmetric": False,
                "WeightSymmetric": True,
                "CalibPercentile": PERCENTILE,
                # By its name for another method; it is what makes every method work in chunks.
                "CalibStridedMinMax": _chunk(len(inputs)),
            },
        )
        return onnx.load(result)


def _chunk(count: int) -> int:
    """The largest divisor of `count` up to `CHUNK`: the quantiser takes no other."""
    return max(size for size in range(1, CHUNK + 1) if count % size == 0)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Feeds the images of a range; the quantiser sets one range after another."""

    def __init__(self, name: str, inputs: Sequence[NDArray[Any]]) -> None:
        self._name = name
        self._inputs = inputs
        self._left: Iterator[NDArray[Any]] = iter(())

    def __len__(self) -> int:
        return len(self._inputs)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Feed these next."""
        self._left = (self._inputs[index] for index in range(start_index, end_index))

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next image, None after the last of the range."""
        image = next(self._left, None)
        return None if image is None else {self._name: image}


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
