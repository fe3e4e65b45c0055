"""How TFLite artifacts are made: emitted and, for int8, quantised."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from shufflenet_deploy.export.formats.emitter import (
    Emitted,
    Emitter,
    Quantiser,
    quantiser_errors,
)
from shufflenet_deploy.export.formats.tflite.emit import OUTPUT, emit
from shufflenet_deploy.export.formats.tflite.lowering import LOWERING
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.runtime.options import Options


def _float(graph: Graph, options: Options) -> Emitted:
    half = options.precision == "fp16"
    return Emitted((emit(graph, half=half, input_type=options.io),))


def _quantiser() -> ModuleType:
    """The module that needs the quantiser, whose import takes longer than a float export does."""
    return import_module("shufflenet_deploy.export.formats.tflite.quantise")


def _to_quantise(graph: Graph, options: Options) -> Emitted:
    return Emitted((emit(graph, to_quantise=True),))


def _quantised(source: Emitted, graph: Graph, options: Options, ranges: Ranges) -> Emitted:
    (model,) = source.files
    named = {**ranges, OUTPUT: ranges[graph.output]}
    quantise = _quantiser()
    with quantiser_errors("ai-edge-quantizer"):
        return Emitted((quantise.quantise(model, graph, named, options.io),))


def _scheme(options: Options) -> str:
    scheme: str = _quantiser().SCHEME
    return scheme


EMITTER = Emitter(
    emit=_float,
    lowering=LOWERING,
    tools=("flatbuffers", "ai-edge-quantizer"),
    quantiser=Quantiser(
        emit=_to_quantise,
        quantise=_quantised,
        scheme=_scheme,
        depends_on_target=False,
    ),
)
