"""From a lowered graph to a file's bytes, in each format and precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.runtime.artifact import Options, Simplification
from shufflenet_deploy.runtime.errors import ExportError


@dataclass(frozen=True)
class Emitted:
    """A file's bytes, and what is to be told of how they were made."""

    data: bytes
    simplification: Simplification | None = None
    before: Quantised | None = None
    """Of int8: what was quantised, and how."""


@dataclass(frozen=True)
class Quantised:
    """The float model that int8 was made of, and the scheme."""

    data: bytes
    scheme: str


Inputs = Sequence[NDArray[Any]]
"""Calibration images (1, ...) in the format's layout, float32, made as they are asked for."""


@dataclass(frozen=True)
class Format:
    """A row of `FORMATS`."""

    layout: str
    emit: Callable[[Graph, Options, Inputs], Emitted]
    """The inputs are for int8 alone."""


def _onnx(graph: Graph, options: Options, inputs: Inputs) -> Emitted:
    # Here, because importing onnxsim takes longer than all else that a TFLite export does.
    from shufflenet_deploy.export.formats.onnx import emit as to_onnx
    from shufflenet_deploy.export.formats.onnx import quantise as quantize_onnx
    from shufflenet_deploy.export.formats.onnx.simplify import simplify

    if options.precision != "int8":
        half = options.precision == "fp16"
        model = to_onnx.emit(graph, half=half, input_type=options.io)
        model, record = simplify(model, graph.input_shape)
        return Emitted(model.SerializeToString(), record)
    model, record = simplify(to_onnx.emit(graph), graph.input_shape)
    before = Quantised(model.SerializeToString(), quantize_onnx.scheme(options.target))
    with _one_line("ONNX Runtime's quantiser"):
        model = quantize_onnx.quantize(model, inputs, options.target)
    model = quantize_onnx.with_input_type(model, options.io)
    return Emitted(model.SerializeToString(), record, before)


def _tflite(graph: Graph, options: Options, inputs: Inputs) -> Emitted:
    from shufflenet_deploy.export.formats.tflite import (
        emit as to_tflite,
    )
    from shufflenet_deploy.export.formats.tflite import (
        quantise as quantize_tflite,
    )

    if options.precision != "int8":
        half = options.precision == "fp16"
        return Emitted(to_tflite.emit(graph, half=half, input_type=options.io))
    before = Quantised(to_tflite.emit(graph, to_quantise=True), quantize_tflite.SCHEME)
    with _one_line("ai-edge-quantizer"):
        data = quantize_tflite.quantize(before.data, graph, inputs, options.io)
    return Emitted(data, before=before)


@contextmanager
def _one_line(quantiser: str) -> Iterator[None]:
    """A quantiser's own exception as one line: it is not the user's fault, nor of use to them."""
    try:
        yield
    except (ValueError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ExportError(f"{quantiser} does not take this network: {reason}") from error


FORMATS: dict[str, Format] = {
    "onnx": Format("NCHW", _onnx),
    "tflite": Format("NHWC", _tflite),
}
