from __future__ import annotations

import io
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from shufflenet_deploy.bench.report.kinds.profile import show
from shufflenet_deploy.runtime.profiling.kinds import Operator
from shufflenet_deploy.runtime.profiling.profile import Profile, attribute
from shufflenet_deploy.runtime.profiling.trace import Trace

OPERATORS = (
    Operator("conv2d", "FusedConv", "convolution"),
    Operator("conv2d_1", "Conv", "grouped 1x1"),
    Operator("conv2d_2", "Conv", "grouped 1x1"),
    Operator("[bold]odd[/bold]", "Gather", "shuffle"),
)


def profile_of(rest_ns: float = 100_000, **changes: Any) -> Profile:
    surplus_ns, operators = attribute(
        Trace(OPERATORS, ((400_000, 200_000, 250_000, 50_000),)), rest_ns
    )
    profile = Profile(
        engine="onnxruntime",
        engine_version="1.32.0",
        artifact="artifacts/network.onnx",
        threads=1,
        runs=100,
        total_ns=1_300_000,
        unprofiled_ns=1_000_000,
        profiler_ratio=1.3,
        surplus_ns=surplus_ns,
        operators=operators,
    )
    return replace(profile, **changes)


def text_of(profile: Profile, width: int = 80) -> str:
    stream = io.StringIO()
    show(profile, Console(file=stream, width=width))
    return stream.getvalue()


def rows(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_kinds_and_the_kernels_are_told() -> None:
    text = rows(text_of(profile_of()))
    assert text[0] == "network.onnx, onnxruntime 1.32.0, 1 thread, 100 runs"
    assert "grouped 1x1 2 0.450 45.0" in text
    assert "Conv 2 0.450 45.0" in text
    assert "shuffle 1 0.050 5.0" in text
    assert text.count("engine overhead - 0.100 10.0") == 2


def test_the_longest_come_first() -> None:
    text = rows(text_of(profile_of()))
    first = text.index("conv2d convolution FusedConv 0.400 40.0")
    assert text[first + 1] == "conv2d_2 grouped 1x1 Conv 0.250 25.0"


def test_no_more_than_ten_of_them() -> None:
    operators = profile_of().operators
    many = profile_of(operators=(*operators[:1] * 30, operators[-1]))
    assert sum(line.startswith("conv2d ") for line in text_of(many).splitlines()) == 10


def test_what_the_profiler_costs_is_told() -> None:
    text = text_of(profile_of())
    assert "a run takes 1.000 ms, and 1.30 times as long under the profiler\n" in text
    assert "what the profiler adds" not in text
    surplus = text_of(profile_of(rest_ns=-20_000))
    assert "less 5.0 us each: what the profiler adds to an operator\n" in surplus


def test_threads() -> None:
    assert "2 threads" in text_of(profile_of(threads=2))


def test_a_name_is_no_markup() -> None:
    assert "[bold]odd[/bold]" in text_of(profile_of())


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in text_of(profile_of(), width).splitlines())
