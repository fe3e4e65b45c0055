"""How ONNX artifacts are made: emitted, simplified and, for int8, quantised."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import onnx

from shufflenet_deploy.export.formats.emitter import (
    Emitted,
    Emitter,
    Quantiser,
    quantiser_errors,
)
from shufflenet_deploy.export.formats.onnx.emit import OUTPUT, emit
from shufflenet_deploy.export.formats.onnx.lowering import LOWERING
from shufflenet_deploy.export.formats.onnx.simplify import simplify
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.runtime.options import Options


def _float(graph: Graph, options: Options) -> Emitted:
    half = options.precision == "fp16"
    # Two orders of sums in float16 differ by more than onnxsim allows; in float32, in which the
    # same graph is emitted first, they do not.
    return _simplified(emit(graph, half=half, input_type=options.io), graph, compares=not half)


def _quantiser() -> ModuleType:
    """The module that needs the quantiser, whose import takes longer than a float export does."""
    return import_module("shufflenet_deploy.export.formats.onnx.quantise")


def _to_quantise(graph: Graph, options: Options) -> Emitted:
    return _simplified(emit(graph), graph, compares=True)


def _simplified(model: onnx.ModelProto, graph: Graph, *, compares: bool) -> Emitted:
    model, record = simplify(model, graph.input_shape, compares=compares)
    return Emitted((model.SerializeToString(),), record)


def _quantised(source: Emitted, graph: Graph, options: Options, ranges: Ranges) -> Emitted:
    (content,) = source.files
    model = onnx.load_from_string(content)
    named = {**ranges, OUTPUT: ranges[graph.output]}
    quantise = _quantiser()
    with quantiser_errors("ONNX Runtime's quantiser"):
        model = quantise.quantise(model, named, options.target)
    model = quantise.with_input_type(model, options.io)
    return Emitted((model.SerializeToString(),), source.simplification)


def _scheme(options: Options) -> str:
    scheme: str = _quantiser().scheme(options.target)
    return scheme


EMITTER = Emitter(
    emit=_float,
    lowering=LOWERING,
    tools=("onnx", "onnxsim", "onnxruntime"),
    half_saves=(
        "fp16 in ONNX saves space, not time: on ARM64 ONNX Runtime takes 1.3 times the "
        "instructions of fp32"
    ),
    quantiser=Quantiser(
        emit=_to_quantise,
        quantise=_quantised,
        scheme=_scheme,
        depends_on_target=True,
    ),
)
