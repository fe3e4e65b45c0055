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

from shufflenet_deploy.runtime.engines.given import GivenInput, UsedInput
from shufflenet_deploy.runtime.engines.inputs import TYPES, Input, check_finite, seeded_inputs
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
    assert loaded.arrays[0].shape == made
    assert loaded.arrays[0].dtype == np.dtype(dtype)


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


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64"])
def test_numbers_of_any_type_are_made(tmp_path: Path, dtype: str) -> None:
    (array,) = _load(_write(tmp_path / "other.onnx", [("x", dtype, [1, 3])])).arrays
    assert array.dtype.name == dtype
    assert bool(array.any()) == (dtype != "int64")


def test_an_input_that_is_no_number_is_refused_by_name(tmp_path: Path) -> None:
    nodes = [helper.make_node("Shape", ["x"], ["out"])]
    path = _write(tmp_path / "other.onnx", [("x", "string", [1, 3])], nodes, TensorProto.INT64)
    with pytest.raises(InferenceError, match="takes string as its input 'x': only float16, float"):
        _load(path)


def test_each_of_several_inputs_gets_what_is_said_of_it(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["ids"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["left", "numbers"], ["out"]),
    ]
    inputs: list[tuple[str, str, list[Any]]] = [
        ("left", "float32", ["N", "length"]),
        ("ids", "int64", [1, "length"]),
    ]
    path = _write(tmp_path / "other.onnx", inputs, nodes)
    said = [
        GivenInput(name="left", shape=(1, 7)),
        GivenInput(name="ids", shape=(1, 7), range=(3, 5)),
        GivenInput(name="of another model", shape=(1,)),
    ]
    loaded = load(path, 1, lambda: 0, lambda: None, given=said)
    assert isinstance(loaded, Loaded)
    assert loaded.inputs == (
        UsedInput(name="left", shape=(1, 7), dtype="float32", values="normal"),
        UsedInput(name="ids", shape=(1, 7), dtype="int64", values="3:5"),
    )
    left, ids = loaded.arrays
    assert set(ids.ravel()) <= {3, 4, 5}
    np.testing.assert_array_equal(loaded.run(), left + ids.astype(np.float32))


def test_without_a_name_the_only_input_is_meant(tmp_path: Path) -> None:
    shape = GivenInput(shape=(2, 3, 8, 8))
    one = [Input("x", ("N", 3, "h", "w"), "float32")]
    (made,) = seeded_inputs(_PATH, one, [shape])
    assert made.array.shape == (2, 3, 8, 8)
    two = [*one, Input("y", (1,), "float32")]
    with pytest.raises(InferenceError, match=r"dimension 2 \(h\) .* --shape x=Nx3xhxw"):
        seeded_inputs(_PATH, two, [shape])


@pytest.mark.parametrize(
    ("shape", "given", "message"),
    [
        ((1, 3, "h", "w"), (1, 3, 8), "takes 1x3xhxw as its input 'x', and --shape 1x3x8 is 1x3x8"),
        ((1, 3, "h", None), (1, 4, 8, 8), "takes 1x3xhxC as its input 'x', and --shape 1x4x8x8"),
        ((), (1,), "takes one number as its input 'x', and --shape 1 is 1"),
    ],
)
def test_a_shape_that_a_model_does_not_take_is_refused(
    shape: tuple[Any, ...], given: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InferenceError, match=message) as refused:
        seeded_inputs(_PATH, [Input("x", shape, "float32")], [GivenInput(name="x", shape=given)])
    assert refused.value.usage


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("uint8", -1, 5), ("int8", 0, 128), ("int64", 0.5, 3), ("bool", 0, 2), ("uint64", 0, 2.0**65)],
)
def test_a_range_that_a_type_does_not_have_is_refused(dtype: str, low: float, high: float) -> None:
    said = GivenInput(name="x", range=(low, high))
    with pytest.raises(InferenceError, match=r"--range \S+:\S+ is no range of whole") as refused:
        seeded_inputs(_PATH, [Input("x", (1,), dtype)], [said])
    assert refused.value.usage


@given(
    dtype=st.sampled_from(TYPES),
    limits=st.tuples(st.integers(0, 1), st.integers(0, 1)).map(sorted),
    shape=st.lists(st.integers(1, 4), max_size=4).map(tuple),
)
def test_numbers_are_within_their_range(
    dtype: str, limits: list[int], shape: tuple[int, ...]
) -> None:
    low, high = limits
    named = GivenInput(name="x", range=(low, high))
    (made,) = seeded_inputs(_PATH, [Input("x", shape, dtype)], [named])
    assert (made.array.shape, made.array.dtype.name) == (shape, dtype)
    assert ((made.array >= low) & (made.array <= high)).all()


def test_an_input_that_does_not_fit_the_memory_is_not_made() -> None:
    said = GivenInput(shape=(1, 3, 4000, 4000))
    one = [Input("x", (1, 3, None, None), "float32")]
    with pytest.raises(InferenceError, match=r"no input of shape .* 100 MB are available"):
        seeded_inputs(_PATH, one, [said], available_bytes=10**8)


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
        seeded_inputs(_PATH, [Input("x", shape, "float32")])
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
    made, again, other = (
        seeded_inputs(_PATH, inputs, seed=number)[0].array
        for number in (seed, seed, (seed + 1) % 2**32)
    )
    assert (made.shape, made.dtype) == (shape, np.dtype(dtype))
    np.testing.assert_array_equal(made, again)
    if made.size > 16:
        assert (made != other).any()


def test_inputs_have_the_numbers_that_networks_are_used_to() -> None:
    floats, unsigned, signed = (
        seeded_inputs(_PATH, [Input("x", (1, 3, 64, 64), dtype)])[0].array
        for dtype in ("float32", "uint8", "int8")
    )
    assert abs(floats.mean()) < 0.05
    assert floats.std() == pytest.approx(1, abs=0.05)
    assert (unsigned.min(), unsigned.max()) == (0, 255)
    assert (signed.min(), signed.max()) == (-128, 127)
