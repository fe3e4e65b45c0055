"""XNNPACK's kernels matched to the file's operators."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.engines.litert_c import Event
from shufflenet_deploy.runtime.engines.litert_profiler import (
    LiteRTProfiler,
    Node,
    attribute,
    read_nodes,
)
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.profiling.kinds import Kind

CONV, GEMM = "Convolution (NHWC, F32) IGEMM", "Fully Connected (NC, F32) GEMM"
DEPTHWISE, ADD, CLAMP = "Convolution (NHWC, F32) DWConv", "Add (ND)", "Clamp (NC)"
PAD, TRANSPOSE = "Constant Pad (ND, X32)", "Transpose (ND, X32) Transpose"


def node(operator: str, name: str = "x", kind: Kind = "other") -> Node:
    return Node(operator, name, (), (), kind)


def found(tags: list[str], nodes: list[Node]) -> list[tuple[str, str]]:
    operators = list(attribute(tags, nodes))
    assert [operator.operator for operator in operators] == tags
    return [(operator.name, operator.kind) for operator in operators]


def test_kernels_have_the_names_and_kinds_of_the_operators() -> None:
    nodes = [
        node("CONV_2D", "conv2d", "convolution"),
        node("CONV_2D", "conv2d_1", "1x1"),
        node("DEPTHWISE_CONV_2D", "conv2d_2", "depthwise"),
        node("TRANSPOSE", "turned", "shuffle"),
        node("CONV_2D", "conv2d_3", "grouped 1x1"),
    ]
    assert found([CONV, GEMM, DEPTHWISE, TRANSPOSE, CONV], nodes) == [
        ("conv2d", "convolution"),
        ("conv2d_1", "1x1"),
        ("conv2d_2", "depthwise"),
        ("turned", "shuffle"),
        ("conv2d_3", "grouped 1x1"),
    ]


def test_an_operator_that_became_part_of_another_is_passed_over() -> None:
    nodes = [
        node("PAD", "conv2d_padded", "layout"),
        node("CONV_2D", "conv2d", "convolution"),
        node("PAD", "max_pool2d_padded", "layout"),
        node("MAX_POOL_2D", "max_pool2d", "pooling"),
    ]
    assert found([CONV, PAD, "Max Pooling (NHWC, F32)"], nodes) == [
        ("conv2d", "convolution"),
        ("max_pool2d_padded", "layout"),
        ("max_pool2d", "pooling"),
    ]


def test_a_kernel_of_xnnpacks_own_goes_with_the_one_before() -> None:
    nodes = [node("ADD", "add", "elementwise"), node("CONV_2D", "conv2d", "grouped 1x1")]
    assert found([ADD, CLAMP, CONV], nodes) == [
        ("add", "elementwise"),
        ("add", "elementwise"),
        ("conv2d", "grouped 1x1"),
    ]


def test_a_relu_of_the_file_is_not_taken_for_an_additions() -> None:
    nodes = [
        node("ADD", "add", "elementwise"),
        node("CONCATENATION", "cat", "concatenation"),
        node("RELU", "relu", "elementwise"),
    ]
    names = [name for name, _ in found([ADD, CLAMP, "Copy (NC, X32)", CLAMP], nodes)]
    assert names == ["add", "add", "cat", "relu"]


def test_what_is_not_delegated_is_itself() -> None:
    nodes = [node("PADV2", "padded", "layout"), node("SPACE_TO_DEPTH", "s2d")]
    assert found(["PADV2", "SPACE_TO_DEPTH"], nodes) == [("padded", "layout"), ("s2d", "other")]


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        (CONV, "convolution"),
        (DEPTHWISE, "depthwise"),
        (GEMM, "dense"),
        (CLAMP, "elementwise"),
        ("Convert (NC)", "conversion"),
        ("PADV2", "layout"),
        ("Tomorrow's (ND)", "other"),
    ],
)
def test_without_the_files_operators_the_kernel_says_its_kind(tag: str, kind: str) -> None:
    assert found([tag], []) == [(tag, kind)]


TAGS = st.lists(st.sampled_from([CONV, GEMM, DEPTHWISE, ADD, CLAMP, PAD, TRANSPOSE]), max_size=12)
NODES = st.lists(
    st.sampled_from(["CONV_2D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D", "ADD", "RELU", "PAD"]),
    max_size=12,
)


@given(TAGS, NODES)
def test_every_kernel_is_something_and_the_order_is_kept(tags: list[str], file: list[str]) -> None:
    nodes = [node(operator, str(index)) for index, operator in enumerate(file)]
    names = [name for name, _ in found(tags, nodes)]
    places = [int(name) for name in names if name.isdigit()]
    assert places == sorted(places)


@given(NODES)
def test_kernels_as_the_file_has_them_are_all_matched(file: list[str]) -> None:
    nodes = [node(operator, str(index)) for index, operator in enumerate(file)]
    assert [name for name, _ in found(file, nodes)] == [str(index) for index in range(len(nodes))]


@pytest.fixture
def tflite(tiny_artifacts: Path) -> Path:
    return tiny_artifacts / "shufflenet-v1-g3-x0.25-32x32-fp32.tflite"


def test_the_files_operators_are_read(tflite: Path) -> None:
    nodes = read_nodes(tflite)
    kinds = {made.name: made.kind for made in nodes}
    assert [kinds[f"conv2d{which}"] for which in ("", "_1", "_3")] == [
        "convolution",
        "1x1",
        "grouped 1x1",
    ]
    shuffles = [made.operator for made in nodes if made.kind == "shuffle"]
    assert shuffles == ["RESHAPE", "TRANSPOSE", "RESHAPE"] * 15


def test_events_other_than_operators_are_left_out(
    tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiler = LiteRTProfiler(tflite, 1)
    events = [
        Event("Invoke", 1, 99),
        Event(CONV, 8, 5),
        Event("PADV2", 2, 7),
        Event("x", 32, 2**32),
    ]
    monkeypatch.setattr(profiler._model, "events", lambda: events)
    profiler.record()
    trace = profiler.finish()
    profiler.close()
    assert [operator.operator for operator in trace.operators] == [CONV, "PADV2"]
    assert trace.runs_ns == ((5000, 7000),)


@pytest.mark.parametrize("runs", [[], [[]], [[CONV], [GEMM]]])
def test_runs_that_differ_are_refused(
    tflite: Path, monkeypatch: pytest.MonkeyPatch, runs: list[list[str]]
) -> None:
    profiler = LiteRTProfiler(tflite, 1)
    recorded = iter([[Event(tag, 8, 5) for tag in run] for run in runs])
    monkeypatch.setattr(profiler._model, "events", lambda: next(recorded))
    for _ in runs:
        profiler.record()
    with pytest.raises(InferenceError, match="saw no operators, or others from run to run"):
        profiler.finish()
    profiler.close()
