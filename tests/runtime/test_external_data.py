"""The files in which an ONNX model keeps its weights, found without the onnx package."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnx.external_data_helper import set_external_data

from shufflenet_deploy.runtime.artifact import copied_files, files, model_bytes, model_sha256
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.external_data import external_data


def _tensor(name: str, location: str | None = None) -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.ones((2, 2), np.float32), name)
    if location is not None:
        set_external_data(tensor, location)
        tensor.ClearField("raw_data")
    return tensor


def _saved(
    path: Path, initializers: list[onnx.TensorProto], nodes: list[onnx.NodeProto] | None = None
) -> Path:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 2])
    graph = helper.make_graph(nodes or [], "graph", [value], [value], initializers)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def test_a_model_with_its_weights_inside_is_one_file(tmp_path: Path) -> None:
    path = _saved(tmp_path / "model.onnx", [_tensor("a")])
    assert external_data(path) == ()
    assert files(path) == (path,)


def test_what_onnx_itself_saves_outside_is_found_hashed_and_weighed(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    model = onnx.load(_saved(path, [_tensor("a"), _tensor("b")]))
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    weights = tmp_path / "w.bin"
    assert files(path) == copied_files(path) == (path, weights)
    assert model_bytes(path) == path.stat().st_size + weights.stat().st_size
    before = model_sha256(path)
    weights.write_bytes(weights.read_bytes()[::-1])
    assert model_sha256(path) != before


def test_several_files_are_found_once_each_in_folders_too(tmp_path: Path) -> None:
    path = _saved(
        tmp_path / "model.onnx",
        [_tensor("a", "one.bin"), _tensor("b", "deep/two.bin"), _tensor("c", "one.bin")],
    )
    assert external_data(path) == (tmp_path / "one.bin", tmp_path / "deep/two.bin")


def test_tensors_of_attributes_subgraphs_functions_and_sparse_ones_count(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 2])
    constant = helper.make_node("Constant", [], ["k"], value=_tensor("k", "constant.bin"))
    branch = helper.make_graph([constant], "branch", [], [value], [_tensor("a", "branch.bin")])
    condition = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    path = _saved(tmp_path / "model.onnx", [], [condition])
    model = onnx.load(path, load_external_data=False)
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(_tensor("v", "values.bin"))
    sparse.indices.CopyFrom(_tensor("i", "indices.bin"))
    other = helper.make_node("Constant", [], ["k"], value=_tensor("k", "function.bin"))
    model.functions.append(helper.make_function("d", "f", [], ["k"], [other], []))
    path.write_bytes(model.SerializeToString())
    assert {file.name for file in external_data(path)} == {
        *("constant.bin", "branch.bin", "values.bin", "indices.bin", "function.bin"),
    }


def test_a_missing_file_is_told_by_its_name(tmp_path: Path) -> None:
    path = _saved(tmp_path / "model.onnx", [_tensor("a", "deep/gone.bin")])
    with pytest.raises(
        InferenceError, match=r"model\.onnx needs deep/gone\.bin beside it"
    ) as refused:
        files(path)
    assert refused.value.usage


@pytest.mark.parametrize("name", ["/etc/passwd", "../weights.bin", "a/../../b", ".", "a\0b"])
def test_a_file_outside_of_the_models_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = _saved(tmp_path / "model.onnx", [_tensor("a", name)])
    with pytest.raises(InferenceError, match="outside of its own folder"):
        external_data(path)


@given(data=st.binary(max_size=200))
def test_what_is_no_model_has_no_further_files(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.onnx"
    path.write_bytes(data)
    with suppress(InferenceError):  # noise that happens to name a file
        assert isinstance(external_data(path), tuple)


@given(part=st.floats(0, 1, exclude_max=True))
def test_a_model_that_was_cut_off_is_its_engines_to_refuse(
    tmp_path_factory: pytest.TempPathFactory, part: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.onnx"
    whole = _saved(path, [_tensor("a", "one.bin"), _tensor("b")]).read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert external_data(path) in ((), (path.parent / "one.bin",))


def test_a_file_of_zeros_is_no_model_however_large(tmp_path: Path) -> None:
    """Read byte by byte it would take for ever."""
    path = tmp_path / "hole.onnx"
    with path.open("wb") as file:
        file.truncate(10**12)
    assert external_data(path) == ()


def test_graphs_without_end_are_no_model(tmp_path: Path) -> None:
    graph = b""
    for _ in range(500):
        for key in (b"\x32", b"\x2a", b"\x0a"):  # graph in attribute in node in graph
            graph = key + _length(len(graph)) + graph
    path = tmp_path / "deep.onnx"
    path.write_bytes(b"\x3a" + _length(len(graph)) + graph)
    assert external_data(path) == ()


def _length(number: int) -> bytes:
    groups = []
    while True:
        number, low = number >> 7, number & 0x7F
        groups.append(low | (0x80 if number else 0))
        if not number:
            return bytes(groups)
