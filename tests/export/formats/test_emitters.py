"""Emitted models compute what their graph computes, on the engines themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from numpy.typing import NDArray

from generated_graphs import Building, classified, graphs, units
from shufflenet_deploy.export.formats import lower
from shufflenet_deploy.export.formats.onnx import emit as to_onnx
from shufflenet_deploy.export.formats.tflite import emit as to_tflite
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import (
    AdaptiveAveragePool,
    Add,
    Affine,
    Concatenate,
    Elu,
    Flatten,
    FullyConnected,
    Gather,
    Gelu,
    GlobalMean,
    LeakyRelu,
    LocalResponseNorm,
    MaxPool,
    Multiply,
    Operator,
    Relu,
    Shape,
    Shuffle,
    Sigmoid,
    Slice,
    Tanh,
)
from shufflenet_deploy.export.graph.reference import interpret
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.models.networks import variant
from shufflenet_deploy.runtime.engines import Session, open_session
from shufflenet_deploy.runtime.errors import ExportError

VARIANT = variant("shufflenet-v1")
LAYOUTS = {"onnx": (0, 1, 2, 3), "tflite": (0, 2, 3, 1)}


def _emit(graph: Graph, format_: str) -> bytes:
    return to_tflite.emit(graph) if format_ == "tflite" else _onnx(graph)


def _onnx(graph: Graph) -> bytes:
    return to_onnx.emit(graph).SerializeToString()  # type: ignore[no-any-return]


def _session(graph: Graph, format_: str, folder: Path) -> Session:
    path = folder / f"graph.{format_}"
    path.write_bytes(_emit(graph, format_))
    return open_session(path)


def _assert_computes(graph: Graph, format_: str, folder: Path) -> Session:
    session = _session(graph, format_, folder)
    for count in (1, 3, 2):  # the batch is free
        images = np.random.default_rng(count).normal(size=(count, *graph.input_shape))
        expected = interpret(graph, images)
        given_ = np.ascontiguousarray(images.transpose(LAYOUTS[format_]), np.float32)
        answer = _as_nchw(session.run(given_), format_)
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    return session


def _as_nchw(answer: NDArray[Any], format_: str) -> NDArray[Any]:
    return answer.transpose(0, 3, 1, 2) if format_ == "tflite" and answer.ndim == 4 else answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.mark.parametrize("format_", LAYOUTS)
@settings(max_examples=60)
@given(graph=graphs())
def test_any_graph(folder: Path, format_: str, graph: Graph) -> None:
    _assert_computes(classified(graph), format_, folder)


@pytest.mark.parametrize("format_", LAYOUTS)
@settings(max_examples=30)
@given(graph=units())
def test_units_as_they_stand_and_rewritten(folder: Path, format_: str, graph: Graph) -> None:
    _assert_computes(classified(graph), format_, folder)
    (options,) = Request(formats=(format_,), out=Path()).artifacts(VARIANT, "random")
    graph = lower(graph, options).graph
    _assert_computes(classified(graph), format_, folder)


def _building(*shape: int) -> Building:
    return Building(shape, np.random.default_rng(0))


@pytest.mark.parametrize("format_", LAYOUTS)
@pytest.mark.parametrize("size", [(7, 7), (13, 6), (14, 19), (5, 3)])
def test_adaptive_pooling_where_windows_overlap(
    folder: Path, format_: str, size: tuple[int, int]
) -> None:
    building = _building(4, *size)
    building.add(AdaptiveAveragePool((6, 6)))
    session = _assert_computes(building.graph(), format_, folder)
    assert session.remarks.get("delegate_partitions") in (1, None)


@pytest.mark.parametrize("format_", LAYOUTS)
def test_a_flattened_map_meets_its_columns(folder: Path, format_: str) -> None:
    building = _building(3, 4, 5)
    building.add(Flatten())
    weight = building.random.normal(size=(7, 60))
    building.add(FullyConnected(weight, building.random.normal(size=7), activation=Relu()))
    _assert_computes(building.graph(), format_, folder)


@pytest.mark.parametrize("format_", LAYOUTS)
@pytest.mark.parametrize("ends", [False, True])
def test_a_flattened_map_that_something_else_reads(folder: Path, format_: str, ends: bool) -> None:
    building = _building(3, 4, 5)
    flat = building.add(Flatten())
    if not ends:
        building.add(Sigmoid())
        weight = building.random.normal(size=(60, 60))
        building.add(FullyConnected(weight, building.random.normal(size=60)), flat)
        building.add(Add(), building.last, flat)
    _assert_computes(building.graph(), format_, folder)


@pytest.mark.parametrize("format_", LAYOUTS)
@pytest.mark.parametrize(
    "operator",
    [
        Relu(),
        Relu(6.0),
        LeakyRelu(np.full(8, 0.1)),
        LeakyRelu(np.linspace(0, 0.7, 8)),
        Elu(),
        Gelu(),
        Gelu(by_tanh=True),
        Sigmoid(),
        Tanh(),
        Slice(2, 7),
        Affine(np.linspace(-1, 2, 8), np.linspace(3, -1, 8)),
        Affine(np.linspace(1, 2, 8), np.linspace(3, -1, 8), Relu(6.0)),
    ],
    ids=str,
)
@pytest.mark.parametrize("vector", [False, True])
def test_what_changes_each_number_is_one_partition(
    folder: Path, format_: str, operator: Operator, vector: bool
) -> None:
    building = _building(8, 4, 5)
    building.convolution(8)
    if vector:
        building.add(GlobalMean())
    building.add(operator)
    session = _assert_computes(building.graph(), format_, folder)
    assert session.remarks.get("delegate_partitions") in (1, None)


@pytest.mark.parametrize("format_", LAYOUTS)
@pytest.mark.parametrize("groups", [1, 8])
def test_a_dilated_convolution_is_one_partition(folder: Path, format_: str, groups: int) -> None:
    building = _building(8, 9, 7)
    building.convolution(8, 3, groups=groups, dilation=2)
    session = _assert_computes(building.graph(), format_, folder)
    assert session.remarks.get("delegate_partitions") in (1, None)


@pytest.mark.parametrize("format_", LAYOUTS)
def test_two_maps_are_multiplied(folder: Path, format_: str) -> None:
    building = _building(4, 3, 5)
    first = building.convolution(4)
    building.add(Sigmoid())
    building.add(Multiply(Relu(6.0)), building.last, first)
    session = _assert_computes(building.graph(), format_, folder)
    assert session.remarks.get("delegate_partitions") in (1, None)


def test_a_limit_that_tflite_lacks_is_refused_by_name() -> None:
    building = _building(4, 3, 3)
    building.convolution(4, activation=Relu(1.0))
    with pytest.raises(ExportError, match=r"cannot emit convolution_0: .* at most 6"):
        to_tflite.emit(building.graph())
    building = _building(4, 3, 3)
    building.add(Elu(0.5))
    with pytest.raises(ExportError, match=r"cannot emit elu_0: .* alpha 1"):
        to_tflite.emit(building.graph())


@pytest.mark.parametrize("format_", LAYOUTS)
def test_vectors_are_joined_and_selected_from(folder: Path, format_: str) -> None:
    building = _building(3, 4, 5)
    mean = building.add(GlobalMean())
    flat = building.add(Flatten(), "images")
    joined = building.add(Concatenate(), flat, mean, flat)
    building.add(Gather((122, 0, 61, 60, 5)), joined)
    session = _assert_computes(building.graph(), format_, folder)
    assert session.remarks.get("delegate_partitions") in (1, 2, None)  # GATHER is not delegated


@pytest.mark.parametrize("format_", LAYOUTS)
@pytest.mark.parametrize("size", [1, 3, 5])
def test_local_response_norm(folder: Path, format_: str, size: int) -> None:
    building = _building(8, 3, 3)
    building.add(LocalResponseNorm(size, alpha=0.5, beta=0.75, k=2.0))
    session = _assert_computes(building.graph(), format_, folder)
    assert session.remarks.get("delegate_partitions") in (1, None)


@pytest.mark.parametrize("format_", LAYOUTS)
@pytest.mark.parametrize("size", [(3, 5), (1, 1)])
@pytest.mark.parametrize("activation", [None, Relu(), Relu(6.0)])
def test_squeeze_and_excitation(
    folder: Path, format_: str, size: tuple[int, int], activation: Relu | None
) -> None:
    building = _building(8, *size)
    building.convolution(8)
    building.squeeze_excitation(2, activation)
    session = _assert_computes(building.graph(), format_, folder)
    assert session.remarks.get("delegate_partitions") in (1, None)


@pytest.mark.parametrize("format_", LAYOUTS)
def test_gather_selects_channels(folder: Path, format_: str) -> None:
    building = _building(4, 3, 3)
    building.add(Gather((3, 0, 0, 2)))
    _assert_computes(building.graph(), format_, folder)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("format_", LAYOUTS)
def test_padding_is_symmetric_whatever_the_size(
    folder: Path, format_: str, side: int, stride: int
) -> None:
    building = _building(3, side, side)
    building.convolution(4, 3, stride)
    building.depthwise(stride)
    _assert_computes(building.graph(), format_, folder)


@pytest.mark.parametrize("to_quantise", [False, True])
@pytest.mark.parametrize("size", [(4, 4), (5, 7)])
def test_max_pooling_of_negative_numbers_is_not_padded_with_zeros(
    folder: Path, size: tuple[int, int], to_quantise: bool
) -> None:
    building = _building(2, *size)
    building.add(MaxPool((3, 3), (2, 2), (1, 1)))
    graph = building.graph()
    path = folder / "pool.tflite"
    path.write_bytes(to_tflite.emit(graph, to_quantise=to_quantise))
    images = -1 - np.random.default_rng(0).random((1, 2, *size)).astype(np.float32)
    answer = open_session(path).run(np.ascontiguousarray(images.transpose(0, 2, 3, 1)))
    np.testing.assert_array_equal(answer.transpose(0, 3, 1, 2), interpret(graph, images))


class _Cube:
    """An operator that no format knows."""

    def shape(self, values: Shape) -> Shape:
        return values


@pytest.mark.parametrize("format_", LAYOUTS)
def test_an_operator_without_an_emission_is_refused_by_name(format_: str) -> None:
    building = _building(2, 4, 4)
    building.add(_Cube())  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="cannot emit _Cube"):
        _emit(building.graph(), format_)


def test_an_exponent_that_xnnpack_cannot_do_is_refused() -> None:
    building = _building(2, 4, 4)
    building.add(LocalResponseNorm(5, 1e-4, 0.6, 1.0))
    with pytest.raises(ExportError, match=r"beta 0\.6"):
        to_tflite.emit(building.graph())


def test_every_onnx_node_has_a_name_of_its_own() -> None:
    building = _building(4, 9, 9)
    building.convolution(4, activation=Relu())
    building.add(Shuffle(2))
    building.add(AdaptiveAveragePool((6, 6)))
    building.squeeze_excitation(2, activation=Relu())
    names = [node.name for node in to_onnx.emit(classified(building.graph())).graph.node]
    assert all(names)
    assert len(names) == len(set(names))


def test_onnx_is_whole_checked_and_of_a_free_batch() -> None:
    building = _building(4, 6, 6)
    building.convolution(8, 3)
    building.add(Shuffle(2))
    model = to_onnx.emit(classified(building.graph()))
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version >= 18
    assert not any(weight.external_data for weight in model.graph.initializer)
    assert [value.name for value in model.graph.input] == ["images"]
    assert [value.name for value in model.graph.output] == ["logits"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert model.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_tflite_has_a_signature_and_a_free_batch() -> None:
    building = _building(4, 6, 6)
    building.convolution(8, 3)
    data = to_tflite.emit(classified(building.graph()))
    assert data[4:8] == b"TFL3"
    model = schema.ModelT.InitFromPackedBuf(data)
    (signature,) = model.signatureDefs
    assert signature.signatureKey == b"serving_default"
    assert [entry.name for entry in signature.inputs] == [b"images"]
    assert [entry.name for entry in signature.outputs] == [b"logits"]
    tensors = model.subgraphs[0].tensors
    assert list(tensors[signature.inputs[0].tensorIndex].shapeSignature) == [-1, 6, 6, 4]
    assert list(tensors[signature.outputs[0].tensorIndex].shapeSignature) == [-1, 5]


def test_tflite_buffers_are_aligned_as_the_schema_asks() -> None:
    building = _building(3, 6, 6)
    for outputs in (5, 7, 3):
        building.convolution(outputs, 3)
    data = to_tflite.emit(building.graph())
    model = schema.Model.GetRootAs(data)
    offsets = []
    for index in range(model.BuffersLength()):
        vector = model.Buffers(index)._tab.Offset(4)
        if vector:
            offsets.append(model.Buffers(index)._tab.Vector(vector))
    assert len(offsets) == 6  # a weight and a bias each
    assert all(offset % 16 == 0 for offset in offsets)
