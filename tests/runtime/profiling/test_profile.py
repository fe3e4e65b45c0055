"""What is made of a trace: pure functions, so mostly properties."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.profiling.kinds import KINDS, Operator, convolution_kind
from shufflenet_deploy.runtime.profiling.profile import (
    OVERHEAD,
    Profile,
    attribute,
    by_kind,
    by_operator,
    longest,
)
from shufflenet_deploy.runtime.profiling.trace import Trace

OPERATORS = st.builds(
    Operator,
    name=st.sampled_from(["conv2d", "conv2d_1", "add", "cat"]),
    operator=st.sampled_from(["Conv", "Gather", "Add"]),
    kind=st.sampled_from([kind for kind in KINDS if kind != OVERHEAD]),
)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    operators = draw(st.lists(OPERATORS, max_size=8))
    run = st.tuples(*[st.integers(0, 10**7)] * len(operators))
    return Trace(tuple(operators), tuple(draw(st.lists(run, min_size=1, max_size=5))))


RESTS = st.floats(-1e7, 1e7)


def profile_of(trace: Trace, rest_ns: float) -> Profile:
    surplus_ns, operators = attribute(trace, rest_ns)
    return Profile(
        engine="onnxruntime",
        engine_version="1.32.0",
        artifact="network.onnx",
        threads=1,
        runs=len(trace.runs_ns),
        total_ns=1300,
        unprofiled_ns=1000,
        profiler_ratio=1.3,
        surplus_ns=surplus_ns,
        operators=operators,
    )


def some(kind: str = "grouped 1x1") -> Operator:
    return msgspec.convert(("conv2d", "Conv", kind), Operator)


@given(traces(), RESTS)
def test_shares_sum_up_to_one_and_none_is_negative(trace: Trace, rest_ns: float) -> None:
    _, operators = attribute(trace, rest_ns)
    assert all(0 <= operator.share <= 1 and operator.own_ns >= 0 for operator in operators)
    if any(operator.own_ns for operator in operators):
        assert sum(operator.share for operator in operators) == pytest.approx(1)


@given(traces(), RESTS)
def test_no_operator_is_lost_and_the_overhead_is_the_last(trace: Trace, rest_ns: float) -> None:
    _, (*operators, overhead) = attribute(trace, rest_ns)
    assert tuple(Operator(o.name, o.operator, o.kind) for o in operators) == trace.operators
    assert overhead.kind == OVERHEAD
    assert overhead.own_ns == max(0.0, rest_ns)


@given(traces(), RESTS)
def test_all_bear_the_same_surplus_and_none_more_than_it_has(trace: Trace, rest_ns: float) -> None:
    surplus_ns, (*operators, _) = attribute(trace, rest_ns)
    for operator in operators:
        assert operator.own_ns == operator.median_ns - surplus_ns >= 0
    assert surplus_ns * len(operators) <= max(0.0, -rest_ns) * (1 + 1e-9)


@given(traces(), RESTS)
def test_groups_hold_every_operator_once(trace: Trace, rest_ns: float) -> None:
    profile = profile_of(trace, rest_ns)
    for groups in (by_kind(profile), by_operator(profile)):
        assert sum(group.operators for group in groups) == len(profile.operators)
        assert sum(group.own_ns for group in groups) == pytest.approx(
            sum(operator.own_ns for operator in profile.operators)
        )
        assert groups[-1].name == OVERHEAD
        times = [group.own_ns for group in groups[:-1]]
        assert times == sorted(times, reverse=True)


@given(traces(), st.integers(0, 12))
def test_the_longest_are_the_longest(trace: Trace, count: int) -> None:
    profile = profile_of(trace, 0.0)
    found = longest(profile, count)
    times = sorted((o.own_ns for o in profile.operators[:-1]), reverse=True)
    assert [operator.own_ns for operator in found] == times[:count]


def test_an_operator_takes_its_median() -> None:
    _, (operator, _) = attribute(Trace((some(),), ((100,), (900,), (110,))), 0.0)
    assert operator.median_ns == 110


def test_what_no_operator_accounts_for_is_overhead() -> None:
    surplus_ns, (operator, overhead) = attribute(Trace((some(),), ((750,),)), 250.0)
    assert surplus_ns == 0
    assert (operator.share, overhead.share) == (0.75, 0.25)


def test_what_the_profiler_adds_is_taken_from_all_alike() -> None:
    trace = Trace((some(), some("shuffle")), ((1004, 8),))
    surplus_ns, (network, shuffle, overhead) = attribute(trace, -8.0)
    assert surplus_ns == 4
    assert (network.own_ns, shuffle.own_ns, overhead.own_ns) == (1000, 4, 0)
    assert (network.median_ns, shuffle.median_ns) == (1004, 8)


def test_a_profile_survives_json() -> None:
    profile = profile_of(Trace((some(),), ((750,),)), 250.0)
    assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile
    unknown = msgspec.json.encode({**msgspec.to_builtins(profile), "new": 1})
    with pytest.raises(msgspec.ValidationError, match="new"):
        msgspec.json.decode(unknown, type=Profile)


@pytest.mark.parametrize(
    ("groups", "channels", "kernel", "kind"),
    [
        (3, 240, (1, 1), "grouped 1x1"),
        (1, 24, (1, 1), "1x1"),
        (60, 60, (3, 3), "depthwise"),
        (60, 60, (1, 1), "depthwise"),
        (1, 3, (3, 3), "convolution"),
        (2, 96, (5, 5), "convolution"),
        (1, 1, (3, 3), "convolution"),
        (1, 1, (1, 1), "1x1"),
    ],
)
def test_kinds_of_convolutions(
    groups: int, channels: int, kernel: tuple[int, int], kind: str
) -> None:
    assert convolution_kind(groups, channels, kernel) == kind
