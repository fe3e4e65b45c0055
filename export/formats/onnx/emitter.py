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
from shufflenet_deploy.export.quantisation.ranges import Ranges
from shufflenet_deploy.runtime.options import Options


def _float(graph: Graph, options: Options) -> Emitted:
    half = options.precision == "fp16"
    return _simplified(emit(graph, half=half, input_type=options.io), graph)


def _quantiser() -> ModuleType:
    """The module that needs the quantiser, whose import takes longer than a float export does."""
    return import_module("shufflenet_deploy.export.formats.onnx.quantise")


def _to_quantise(graph: Graph, options: Options) -> Emitted:
    return _simplified(emit(graph), graph)


def _simplified(model: onnx.ModelProto, graph: Graph) -> Emitted:
    model, record = simplify(model, graph.input_shape)
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
    quantiser=Quantiser(
        emit=_to_quantise,
        quantise=_quantised,
        scheme=_scheme,
        depends_on_target=True,
    ),
)
