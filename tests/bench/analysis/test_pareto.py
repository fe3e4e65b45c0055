from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.bench.analysis.pareto import most_accurate
from shufflenet_deploy.bench.analysis.summarise import summarise
from shufflenet_deploy.bench.analysis.summary import Summary
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import Model, Results

PAPER = load_paper()
MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]
GROUPS = (1, 2, 3, 4, 8)
"""Errors at 1x: 33.6, 32.7, 32.6, 32.8, 32.4."""


def variants(
    make_model: MakeModel, make_results: MakeResults, times_ms: list[float], **changes: object
) -> Summary:
    models = [make_model("shufflenet-v1", 1.0, groups=g) for g in GROUPS[: len(times_ms)]]
    results = make_results(
        *models, times=lambda process, number, member: times_ms[member], **changes
    )
    return summarise(results, PAPER)


def labels(summary: Summary) -> list[str]:
    return [summary.models[point.model].label for point in summary.front if point.on_front]


def best(summary: Summary, budget_ms: float) -> list[str | None]:
    found = most_accurate(summary, budget_ms).values()
    return [summary.models[point.model].label if point else None for point in found]


def test_on_the_front_is_what_no_other_beats_in_both(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    summary = variants(make_model, make_results, [10, 11, 15, 12, 14])
    # g=8 is more accurate and faster than g=3; g=4 is beaten by g=2.
    assert [label.rpartition("g")[2] for label in labels(summary)] == ["1-x1.0", "2-x1.0", "8-x1.0"]
    assert [point.top1_error_percent for point in summary.front] == [33.6, 32.7, 32.6, 32.8, 32.4]
    assert {point.source for point in summary.front} == {"the paper's table 2"}


@given(st.lists(st.floats(1.0, 100.0), min_size=5, max_size=5))
def test_the_front_rises(
    make_model: MakeModel, make_results: MakeResults, times_ms: list[float]
) -> None:
    summary = variants(make_model, make_results, times_ms, processes=2, rounds=1)
    front = [
        (latency.value, point.top1_error_percent)
        for point in summary.front
        if point.on_front and (latency := summary.models[point.model].latency_ms)
    ]
    assert front  # the fastest is on it
    assert all(not (a[0] < b[0] and a[1] < b[1]) for a in front for b in front)


def test_the_most_accurate_that_fits_need_not_be_the_slowest(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    summary = variants(make_model, make_results, [10, 11, 15, 12, 14])
    assert best(summary, 20) == ["shufflenet-v1-g8-x1.0"]
    assert best(summary, 12.5) == ["shufflenet-v1-g2-x1.0"]
    assert best(summary, 10.5) == ["shufflenet-v1-g1-x1.0"]
    assert best(summary, 5) == [None]


def test_what_may_be_slower_than_the_budget_does_not_fit(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [make_model("shufflenet-v1", 1.0, groups=g) for g in GROUPS]
    results = make_results(*models, times=lambda process, number, member: 10 + process)
    summary = summarise(results, PAPER)
    latency = summary.models[0].latency_ms
    assert latency
    assert latency.high
    assert latency.value < 12.5 < latency.high
    assert best(summary, 12.5) == [None]
    assert best(summary, latency.high) == ["shufflenet-v1-g8-x1.0"]


def test_engines_have_fronts_of_their_own(make_model: MakeModel, make_results: MakeResults) -> None:
    models = [
        make_model("shufflenet-v1", 1.0, groups=1, format="onnx"),
        make_model("shufflenet-v1", 1.0, groups=8, format="tflite"),
    ]
    results = make_results(*models, times=lambda process, number, member: (10.0, 5.0)[member])
    summary = summarise(results, PAPER)
    assert len(labels(summary)) == 2
    assert best(summary, 7) == [None, "shufflenet-v1-g8-x1.0"]


def test_without_a_published_error_there_is_no_point(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [
        make_model("resnet"),
        make_model("shufflenet-v1", 1.0, input_size=(480, 640)),
        make_model("shufflenet-v1", 1.0, precision="int8"),
    ]
    assert summarise(make_results(*models), PAPER).front == ()


def test_what_was_not_timed_is_not_on_the_front(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    summary = variants(make_model, make_results, [1.0], processes=0)
    assert [point.on_front for point in summary.front] == [False]
    assert best(summary, 1e9) == [None]
