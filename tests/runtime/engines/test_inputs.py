"""Inputs for models without a manifest, and what cannot be given one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from shufflenet_deploy.runtime.engines.inputs import Input, check_finite, seeded_input
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.worker.loading import Loaded, load

_PATH = Path("other.onnx")

_ONNX = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "int64": TensorProto.INT64,
    "string": TensorProto.STRING,
}


def _write(
    path: Path,
    inputs: list[tuple[str, str, list[Any]]],
    nodes: list[onnx.NodeProto] | None = None,
    output: int = TensorProto.FLOAT,
) -> Path:
    """A model with these inputs (name, type, shape), the first of which it casts to its output."""
    nodes = nodes or [helper.make_node("Cast", [inputs[0][0]], ["out"], to=TensorProto.FLOAT)]
    graph = helper.make_graph(
        nodes,
        "other",
        [helper.make_tensor_value_info(name, _ONNX[kind], shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info("out", output, None)],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def _load(path: Path) -> Loaded:
    loaded = load(path, 1, lambda: 0, lambda: None)
    assert isinstance(loaded, Loaded)
    return loaded


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
@pytest.mark.parametrize(
    ("shape", "made"),
    [
        ([1, 3, 8, 6], (1, 3, 8, 6)),
        (["N", 8, 6, 3], (1, 8, 6, 3)),
        ([None, 3, 8, 6], (1, 3, 8, 6)),
        ([4, 10], (4, 10)),
        (["batch"], (1,)),
        ([], ()),
    ],
)
def test_an_input_is_as_the_engine_describes_it(
    tmp_path: Path, dtype: str, shape: list[Any], made: tuple[int, ...]
) -> None:
    loaded = _load(_write(tmp_path / "other.onnx", [("x", dtype, shape)]))
    assert loaded.images.shape == made
    assert loaded.images.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("shape", "named"),
    [
        (["N", 3, "height", "width"], r"dimension 2 \(height\) of its input 'x' is free"),
        ([1, None, 8, 3], "dimension 1 of its input 'x' is free"),
        (["N", 3, 8, ""], "dimension 3 of its input 'x' is free"),
    ],
)
def test_a_free_dimension_other_than_the_batch_is_refused_by_name(
    tmp_path: Path, shape: list[Any], named: str
) -> None:
    with pytest.raises(InferenceError, match=named) as refused:
        _load(_write(tmp_path / "other.onnx", [("x", "float32", shape)]))
    assert str(tmp_path / "other.onnx") in str(refused.value)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "string"])
def test_an_input_of_another_type_is_refused_by_name(tmp_path: Path, dtype: str) -> None:
    nodes = [helper.make_node("Shape", ["x"], ["out"])]
    path = _write(tmp_path / "other.onnx", [("x", dtype, [1, 3])], nodes, TensorProto.INT64)
    with pytest.raises(InferenceError, match=f"takes {dtype} as its input 'x': only float32, u"):
        _load(path)


def test_a_model_with_several_inputs_is_refused_with_their_names(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["left", "right"], ["out"])]
    inputs = [("left", "float32", [1, 3]), ("right", "float32", [1, 3])]
    with pytest.raises(InferenceError, match=r"has 2 inputs \('left', 'right'\)"):
        _load(_write(tmp_path / "other.onnx", inputs, nodes))


def test_a_model_without_an_input_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])
    nodes = [helper.make_node("Constant", [], ["out"], value=value)]
    with pytest.raises(InferenceError, match="has no input"):
        _load(_write(tmp_path / "other.onnx", [], nodes))


def test_a_model_that_answers_no_numbers_is_refused(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "other.onnx",
        [("x", "float32", [1, 8])],
        [helper.make_node("Sqrt", ["x"], ["out"])],  # of negative numbers too
    )
    with pytest.raises(InferenceError, match="numbers that are not finite") as refused:
        _load(path)
    assert str(path) in str(refused.value)


def test_what_is_no_float_needs_not_be_finite(tmp_path: Path) -> None:
    labels = helper.make_node("ArgMax", ["x"], ["out"], axis=1)
    path = _write(
        tmp_path / "labels.onnx", [("x", "float32", ["N", 8])], [labels], TensorProto.INT64
    )
    assert _load(path).difference is None
    for output in (["a", {"b": 1.0}], np.array(["cat", None], object), np.array([1, 2], np.uint8)):
        check_finite(_PATH, output)


def test_a_model_that_fails_is_refused_in_one_line(tmp_path: Path) -> None:
    seven = helper.make_node(
        "Constant", [], ["seven"], value=helper.make_tensor("", TensorProto.INT64, [1], [7])
    )
    nodes = [seven, helper.make_node("Reshape", ["x", "seven"], ["out"])]
    path = _write(tmp_path / "other.onnx", [("x", "float32", ["N", 8])], nodes)
    with pytest.raises(InferenceError, match="does not run on onnxruntime") as refused:
        _load(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("shape", [(10**9, 10**9), (2**62, 4), (2**40,)])
def test_an_input_beyond_all_memory_is_refused_in_one_line(shape: tuple[int, ...]) -> None:
    with pytest.raises(InferenceError, match="no input of shape") as refused:
        seeded_input(_PATH, [Input("x", shape, "float32")])
    assert "\n" not in str(refused.value)


@given(
    shape=st.lists(st.integers(1, 9), max_size=4).map(tuple),
    dtype=st.sampled_from(["float32", "uint8", "int8"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_inputs_are_the_same_each_time_and_another_for_another_seed(
    shape: tuple[int, ...], dtype: str, seed: int
) -> None:
    inputs = [Input("x", shape, dtype)]
    made = seeded_input(_PATH, inputs, seed)
    assert (made.shape, made.dtype) == (shape, np.dtype(dtype))
    np.testing.assert_array_equal(made, seeded_input(_PATH, inputs, seed))
    if made.size > 16:
        assert (made != seeded_input(_PATH, inputs, (seed + 1) % 2**32)).any()


def test_inputs_have_the_numbers_that_networks_are_used_to() -> None:
    floats, unsigned, signed = (
        seeded_input(_PATH, [Input("x", (1, 3, 64, 64), dtype)])
        for dtype in ("float32", "uint8", "int8")
    )
    assert abs(floats.mean()) < 0.05
    assert floats.std() == pytest.approx(1, abs=0.05)
    assert (unsigned.min(), unsigned.max()) == (0, 255)
    assert (signed.min(), signed.max()) == (-128, 127)
