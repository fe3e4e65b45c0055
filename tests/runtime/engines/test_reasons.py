"""Engines' words without the places in their source."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.engines.reasons import reason


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (
            "[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:/onnxruntime_src/core/"
            "graph/model.cc:256 onnxruntime::Model::Model(onnx::ModelProto&&, const Options&) "
            "Unsupported model IR version: 99, max supported IR version: 14\n",
            "Load model from m.onnx failed:Unsupported model IR version: 99, max supported IR "
            "version: 14",
        ),
        (
            "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code. /src/a/b.h:46 void "
            "ns::Check(const std::map<int, int>&, bool) What: is it",
            "Non-zero status code. What: is it",
        ),
        ("Didn't find op for builtin opcode 'MY_OP'", "Didn't find op for builtin opcode 'MY_OP'"),
        ("", "RuntimeError"),
        ("kernel.cc:12", "RuntimeError"),
    ],
)
def test_what_counts_is_left(said: str, left: str) -> None:
    assert reason(RuntimeError(said)) == left


@given(st.text(max_size=2000))
def test_any_words_are_one_line_without_places(said: str) -> None:
    left = reason(RuntimeError(said))
    assert left
    assert "\n" not in left
    assert len(left) < 600
    assert not re.search(r"[\w./-]+\.(cc|cpp|h):\d+ ", left)
