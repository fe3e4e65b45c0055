"""The reader of ONNX files, against files that the onnx package wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from shufflenet_deploy.runtime.engines.onnxruntime_convolutions import Convolution, convolutions

FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZES = st.integers(1, 300)


def model(
    groups: int | None, weight: tuple[int, ...], name: str = "conv", quantised: bool = False
) -> bytes:
    type_ = np.int8 if quantised else np.float32
    tensors = [numpy_helper.from_array(np.zeros(weight, type_), "w")]
    nodes = []
    if quantised:
        tensors.append(numpy_helper.from_array(np.array(1, np.float32), "s"))
        nodes.append(helper.make_node("DequantizeLinear", ["w", "s"], ["v"]))
    conv = helper.make_node("Conv", ["x", "v" if quantised else "w"], ["y"], name, strides=[1, 1])
    if groups is not None:
        conv.attribute.append(helper.make_attribute("group", groups))
    nodes.append(conv)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value("x", 1, None)], [value("y", 1, None)], tensors, doc_string="ü"
    )
    return bytes(helper.make_model(graph).SerializeToString())


@FILES
@given(SIZES, st.tuples(SIZES, st.integers(1, 9), st.just(1), st.just(3)), st.booleans())
def test_groups_and_weights_are_read(
    tmp_path: Path, groups: int, weight: tuple[int, ...], quantised: bool
) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(model(groups, weight, quantised=quantised))
    assert convolutions(path) == {"conv": Convolution(groups, weight)}


def test_one_group_is_what_goes_without_saying(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(model(None, (2, 3, 1, 1)))
    assert convolutions(path) == {"conv": Convolution(1, (2, 3, 1, 1))}


def test_a_convolution_without_a_name_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(model(3, (6, 1, 1, 1), name=""))
    assert convolutions(path) == {}


def test_it_agrees_with_onnx_on_a_network(tiny_artifacts: Path) -> None:
    path = tiny_artifacts / "shufflenet-v1-g3-x0.25-32x32-fp32.onnx"
    graph = onnx.load(path).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    expected = {
        node.name: Convolution(
            next((a.i for a in node.attribute if a.name == "group"), 1), shapes[node.input[1]]
        )
        for node in graph.node
        if node.op_type == "Conv"
    }
    assert len(expected) > 40
    assert convolutions(path) == expected


@FILES
@given(st.binary(max_size=200))
def test_nonsense_has_no_convolutions(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "nonsense.onnx"
    path.write_bytes(data)
    assert convolutions(path) == {}


@FILES
@given(st.data())
def test_a_damaged_file_is_no_error(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(model(3, (6, 1, 1, 1), quantised=True))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.onnx"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert isinstance(convolutions(path), dict)


def test_a_missing_file_is_no_error(tmp_path: Path) -> None:
    assert convolutions(tmp_path / "missing.onnx") == {}


@pytest.mark.parametrize(
    "data", [b"\x3a\x80" + b"\x80" * 20 + b"\x01", b"\x3b\x00", b"\x3a\xff\x01"]
)
def test_what_is_no_protocol_buffer(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(data)
    assert convolutions(path) == {}
