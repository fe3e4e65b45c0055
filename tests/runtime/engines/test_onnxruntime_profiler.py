"""ONNX Runtime's trace, as it is and as it might be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.engines.onnxruntime_convolutions import Convolution
from shufflenet_deploy.runtime.engines.onnxruntime_profiler import read_trace
from shufflenet_deploy.runtime.errors import InferenceError

Event = dict[str, Any]
SESSION: Event = {"cat": "Session", "name": "session_initialization", "dur": 900, "args": {}}
RUN: Event = {"cat": "Session", "name": "model_run", "dur": 100, "ts": 1, "ph": "X", "args": {}}


def node(
    name: str = "conv2d",
    operator: str = "Conv",
    inputs: list[list[int]] | None = None,
    outputs: list[list[int]] | None = None,
    dur: int = 7,
) -> Event:
    return {
        "cat": "Node",
        "pid": 1,
        "dur": dur,
        "name": f"{name}_kernel_time",
        "args": {
            "op_name": operator,
            "node_index": "3",
            "input_type_shape": [{"float": shape} for shape in inputs or []],
            "output_type_shape": [{"float": shape} for shape in outputs or []],
        },
    }


def trace(*events: Event) -> bytes:
    return json.dumps(events).encode()


def kind_of(event: Event, file: dict[str, Convolution] | None = None) -> str:
    (operator,) = read_trace(trace(event, RUN), file or {}).operators
    return operator.kind


@given(
    st.lists(st.sampled_from(["Conv", "Gather", "Unheard"]), min_size=1, max_size=6),
    st.lists(st.integers(0, 10**6), min_size=6, max_size=6),
    st.integers(1, 5),
)
def test_every_node_of_every_run_is_there(kernels: list[str], times: list[int], runs: int) -> None:
    nodes = [
        node(f"n{index}", kernel, dur=time)
        for index, (kernel, time) in enumerate(zip(kernels, times, strict=False))
    ]
    found = read_trace(trace(SESSION, *[*nodes, RUN] * runs), {})
    assert [(o.name, o.operator) for o in found.operators] == [
        (f"n{index}", kernel) for index, kernel in enumerate(kernels)
    ]
    assert found.runs_ns == (tuple(time * 1000 for time in times[: len(kernels)]),) * runs


def test_a_run_that_did_not_end_is_left_out() -> None:
    assert len(read_trace(trace(node(), RUN, node()), {}).runs_ns) == 1


@given(st.binary(max_size=60))
def test_nonsense_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(InferenceError, match="ONNX Runtime's trace") as caught:
        read_trace(data, {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"[", b"{}", b'[{"cat": 1}]', trace(), trace(RUN), trace(node())])
def test_what_is_no_trace_is_refused(data: bytes) -> None:
    with pytest.raises(
        InferenceError, match=r"ONNX Runtime's trace (is not readable|holds no run)"
    ):
        read_trace(data, {})


def test_runs_that_differ_are_refused() -> None:
    with pytest.raises(InferenceError, match="ran other operators from one run to the next"):
        read_trace(trace(node("a"), RUN, node("b"), RUN), {})


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("conv2d_1_nchwc", "conv2d_1"),
        ("conv2d_1_token_11", "conv2d_1"),
        ("conv2d_1_nchwc_token_11", "conv2d_1"),
        ("ReorderOutput_token_119", "ReorderOutput"),
        ("conv2d_1", "conv2d_1"),
        ("token_1", "token_1"),
        ("_token_1", "_token_1"),
    ],
)
def test_names_are_the_files(name: str, read: str) -> None:
    assert read_trace(trace(node(name), RUN), {}).operators[0].name == read


IMAGE = [1, 240, 28, 28]


@pytest.mark.parametrize(
    ("operator", "inputs", "kind"),
    [
        ("Conv", [IMAGE, [60, 80, 1, 1], [60]], "grouped 1x1"),
        ("FusedConv", [IMAGE, [60, 80, 1, 1]], "grouped 1x1"),
        ("Conv", [IMAGE, [64, 240, 1, 1]], "1x1"),
        ("Conv", [IMAGE, [240, 1, 3, 3]], "depthwise"),
        ("Conv", [[1, 3, 224, 224], [32, 3, 3, 3]], "convolution"),
        ("NhwcFusedConv", [[1, 28, 28, 240], [60, 80, 1, 1]], "grouped 1x1"),
        ("Conv", [IMAGE], "convolution"),  # neither the trace nor the file knows its groups
        ("QLinearConv", [IMAGE, [], [], [60], [60]], "convolution"),
    ],
)
def test_kinds_of_convolutions_by_their_shapes(
    operator: str, inputs: list[list[int]], kind: str
) -> None:
    assert kind_of(node(operator=operator, inputs=inputs)) == kind


@pytest.mark.parametrize("name", ["conv2d", "conv2d_token_11"])
@pytest.mark.parametrize(
    ("convolution", "kind"),
    [
        (Convolution(3, (60, 80, 1, 1)), "grouped 1x1"),
        (Convolution(60, (60, 1, 3, 3)), "depthwise"),
        (Convolution(1, (24, 3, 3, 3)), "convolution"),
    ],
)
def test_kinds_of_convolutions_by_the_file(name: str, convolution: Convolution, kind: str) -> None:
    event = node(name, "QLinearConv", [[1, 28, 28, 240], [], [], [60]])
    assert kind_of(event, {"conv2d": convolution}) == kind


@pytest.mark.parametrize(
    ("operator", "inputs", "outputs", "kind"),
    [
        ("Gather", [IMAGE, [240]], [IMAGE], "shuffle"),
        ("Gather", [[1000, 64], [1]], [[1, 64]], "layout"),
        ("Transpose", [[1, 3, 80, 28, 28]], [[1, 80, 3, 28, 28]], "shuffle"),
        ("Reshape", [IMAGE, [5]], [[1, 3, 80, 28, 28]], "shuffle"),
        ("Reshape", [[1, 80, 3, 28, 28], [4]], [IMAGE], "shuffle"),
        ("Transpose", [IMAGE], [[1, 28, 28, 240]], "layout"),
        ("Reshape", [IMAGE, [2]], [[1, 188160]], "layout"),
        ("ReorderInput", [IMAGE], [IMAGE], "layout"),
        ("QLinearAdd", [IMAGE], [IMAGE], "elementwise"),
        ("NhwcMaxPool", [IMAGE], [IMAGE], "pooling"),
        ("QLinearConcat", [IMAGE], [IMAGE], "concatenation"),
        ("QGemm", [[1, 960]], [[1, 1000]], "dense"),
        ("QuantizeLinear", [IMAGE], [IMAGE], "conversion"),
        ("LRN", [IMAGE], [IMAGE], "other"),
    ],
)
def test_kinds_of_others(
    operator: str, inputs: list[list[int]], outputs: list[list[int]], kind: str
) -> None:
    assert kind_of(node(operator=operator, inputs=inputs, outputs=outputs)) == kind


@pytest.mark.parametrize("shapes", ["unknown", [1], [{"float": "x"}], {}, None, [{"float": [1.5]}]])
def test_shapes_of_another_form_are_no_error(shapes: object) -> None:
    event = node()
    event["args"]["input_type_shape"] = shapes
    assert kind_of(event) == "convolution"


def test_an_operator_without_a_name_is_no_error() -> None:
    event = node()
    del event["args"]["op_name"]
    assert read_trace(trace(event, RUN), {}).operators[0].operator == "unknown"
