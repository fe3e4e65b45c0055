"""How TFLite artifacts are made: emitted and, for int8, quantised."""

from __future__ import annotations

from shufflenet_deploy.export.formats.emitter import (
    Emitted,
    Emitter,
    Quantiser,
    quantiser_errors,
)
from shufflenet_deploy.export.formats.tflite import quantise
from shufflenet_deploy.export.formats.tflite.emit import OUTPUT, emit
from shufflenet_deploy.export.formats.tflite.lowering import LOWERING
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.quantisation.ranges import Ranges
from shufflenet_deploy.runtime.options import Options


def _float(graph: Graph, options: Options) -> Emitted:
    half = options.precision == "fp16"
    return Emitted((emit(graph, half=half, input_type=options.io),))


def _to_quantise(graph: Graph, options: Options) -> Emitted:
    return Emitted((emit(graph, to_quantise=True),))


def _quantised(source: Emitted, graph: Graph, options: Options, ranges: Ranges) -> Emitted:
    (model,) = source.files
    named = {**ranges, OUTPUT: ranges[graph.output]}
    with quantiser_errors("ai-edge-quantizer"):
        return Emitted((quantise.quantise(model, graph, named, options.io),))


def _scheme(options: Options) -> str:
    return quantise.SCHEME


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
