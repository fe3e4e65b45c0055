"""The way through: what is chosen, what is shared, and what reaches the formats' own numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from onnx import numpy_helper

from generated_graphs import Building, classified
from shufflenet_deploy.export.calibration import from_noise
from shufflenet_deploy.export.capture.capture import capture
from shufflenet_deploy.export.formats import lower
from shufflenet_deploy.export.gate import Gate
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import Convolution, Relu
from shufflenet_deploy.export.making import Int8Maker
from shufflenet_deploy.export.quantisation import preparation
from shufflenet_deploy.export.quantisation.preparation import (
    LEAST_ERROR,
    RULES,
    Preparation,
    prepare,
)
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.rewrites.lowering import Lowered
from shufflenet_deploy.export.source import open_source
from shufflenet_deploy.export.verify import reference
from shufflenet_deploy.runtime.options import Options

PIXELS = (-3.0, 3.0)


def _silent(line: str) -> None:
    pass


def _graph(seed: int = 0) -> Graph:
    building = Building((3, 16, 16), np.random.default_rng(seed))
    building.convolution(12, 3, stride=2, activation=Relu())
    building.convolution(12, groups=3, activation=Relu())
    building.depthwise()
    building.convolution(12, groups=3)
    return classified(building.graph())


def _images(count: int, seed: int = 0) -> list[NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    return [random.uniform(*PIXELS, (1, 3, 16, 16)).astype(np.float32) for _ in range(count)]


def _prepare(graph: Graph, *, chooses: bool = True) -> Preparation:
    return prepare(graph, _images(24), _images(8, 1), PIXELS, chooses=chooses, report=_silent)


def test_it_says_what_it_does() -> None:
    lines: list[str] = []
    prepare(_graph(), _images(24), _images(8, 1), PIXELS, chooses=True, report=lines.append)
    assert lines == [
        "calibrating on 24 images",
        "choosing among ways to quantise by 8 held-out images",
    ]


def test_where_nothing_is_chosen_the_first_of_each_is_taken() -> None:
    prepared = _prepare(_graph(), chooses=False)
    assert prepared.rule == str(RULES[0])
    assert prepared.exponent == preparation.EXPONENTS[0]
    assert prepared.rounding == LEAST_ERROR


def test_the_choice_is_the_best_on_what_was_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = {
        ("extremes", 0.5): 20.0,
        ("percentile 99.99", 0.5): 10.0,
        ("extremes", 0.0): 21.0,
        ("extremes", 1.0): 5.0,
    }
    fitted = 30.0

    def score(self: object, candidate: Preparation) -> float:
        if candidate.rounding == LEAST_ERROR:
            return fitted
        return scores[str(candidate.rule), candidate.exponent]

    monkeypatch.setattr(preparation._Trial, "_decibels", score)
    chosen = _prepare(_graph())
    assert (str(chosen.rule), chosen.exponent, chosen.rounding) == ("extremes", 0.0, LEAST_ERROR)
    fitted = 1.0
    assert _prepare(_graph()).rounding == preparation.NEAREST


@pytest.fixture(scope="module")
def maker() -> Int8Maker:
    request = Request(scale=0.25, input_size=(64, 64), precisions=("int8",), out=Path())
    source = open_source(request)
    calibration = from_noise(source.preprocessing)
    judged = reference(source.network, source.preprocessing, calibration.held_out)
    seeded = reference(source.network, source.preprocessing)
    return Int8Maker(seeded, calibration, judged, Gate(None), _silent)


@pytest.fixture(scope="module")
def lowered() -> dict[str, tuple[Options, Lowered]]:
    """The same network as each format has it in int8."""
    request = Request(scale=0.25, input_size=(64, 64), precisions=("int8",), out=Path())
    source = open_source(request)
    graph = capture(source.network, source.variant.input_size)
    asked = request.artifacts(source.variant, source.tag)
    return {options.format: (options, lower(graph, options)) for options in asked}


def test_formats_share_what_is_prepared(
    maker: Int8Maker, lowered: dict[str, tuple[Options, Lowered]], tmp_path: Path
) -> None:
    for options, graph in lowered.values():
        maker.make(tmp_path / options.file_name, graph, options)
    assert len(maker.preparations) == 1


def test_finishing_a_settled_graph_is_lowering_it(
    lowered: dict[str, tuple[Options, Lowered]],
) -> None:
    for _, graph in lowered.values():
        finished = graph.finished(graph.settled)
        assert [(node.name, node.inputs) for node in finished] == [
            (node.name, node.inputs) for node in graph.graph
        ]
        for mine, theirs in zip(finished, graph.graph, strict=True):
            if isinstance(layer := mine.operator, Convolution):
                assert isinstance(theirs.operator, Convolution)
                assert (layer.weight == theirs.operator.weight).all()
    onnx_, tflite = lowered["onnx"][1], lowered["tflite"][1]
    assert onnx_.common == tflite.common
    assert onnx_.rewrites != tflite.rewrites


def _grid(weight: NDArray[Any]) -> NDArray[Any]:
    """Weights (O, ...) that lie on a grid, as its whole numbers."""
    step = np.abs(weight.reshape(len(weight), -1)).max(axis=1) / 127
    step[step == 0] = 1
    whole: NDArray[Any] = np.rint(weight / step.reshape(-1, *[1] * (weight.ndim - 1)))
    return whole


def test_the_rounded_weights_are_the_artifacts_own(
    maker: Int8Maker, lowered: dict[str, tuple[Options, Lowered]], tmp_path: Path
) -> None:
    """A quantiser that made another grid of them would undo the fitting."""
    for format_, (options, graph) in lowered.items():
        path = tmp_path / options.file_name
        maker.make(path, graph, options)
        prepared = graph.finished(maker.preparations[graph.common].graph)
        stored = {"onnx": _onnx_weights, "tflite": _tflite_weights}[format_](path)
        layers = 0
        for node in prepared:
            if isinstance(layer := node.operator, Convolution):
                expected = _grid(layer.weight)
                if format_ == "tflite":
                    order = (1, 2, 3, 0) if layer.is_depthwise else (0, 2, 3, 1)
                    expected = expected.transpose(order)
                assert (stored[node.name] == expected).all(), node.name
                layers += 1
        assert layers > 40


def _onnx_weights(path: Path) -> dict[str, NDArray[Any]]:
    model = onnx.load(path)
    return {
        tensor.name.removesuffix(".weight_quantized"): numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.name.endswith(".weight_quantized")
    }


def _tflite_weights(path: Path) -> dict[str, NDArray[Any]]:
    data = path.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(data)
    found = {}
    for tensor in model.subgraphs[0].tensors:
        name = tensor.name.decode()
        if name.endswith(".weight") and tensor.type == schema.TensorType.INT8:
            buffer = model.buffers[tensor.buffer]
            content = (
                data[buffer.offset : buffer.offset + buffer.size]
                if buffer.offset
                else bytes(buffer.data)
            )
            array = np.frombuffer(content, np.int8).reshape(tensor.shape)
            found[name.removesuffix(".weight")] = array
    return found
