from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import PurePath
from statistics import NormalDist

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.analysis.summarise import setting_of, summarise
from shufflenet_deploy.bench.analysis.summary import Setting, Summary
from shufflenet_deploy.bench.measure.plan import plan
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import Model, Results, Timed

PAPER = load_paper()
MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]


def labels(summary: Summary) -> list[str]:
    return [model.label for model in summary.models]


def shufflenets(make_model: MakeModel, **options: object) -> list[Model]:
    works = ((0.5, 38_000_000), (1.0, 137_000_000), (2.0, 524_000_000))
    return [
        make_model("shufflenet-v1", scale, multiply_adds=work, **options) for scale, work in works
    ]


def with_samples(results: Results, samples_ms: Sequence[Sequence[float]]) -> Results:
    """`results` of one model, whose every process has one burst of these runs."""
    runs = []
    for run, times in zip(results.runs, samples_ms, strict=True):
        assert isinstance(run, Timed)
        (model,) = run.models
        burst = replace(model.bursts[0], samples_ns=tuple(round(ms * 1e6) for ms in times))
        runs.append(replace(run, models=(replace(model, bursts=(burst,)),)))
    return replace(results, runs=tuple(runs))


def test_figures_of_one_model(make_model: MakeModel, make_results: MakeResults) -> None:
    model = make_model("resnet", multiply_adds=300_000_000)
    results = with_samples(
        make_results(model, processes=2, peak_multiply_adds_per_second={1: 1e11}),
        [[2, 1, 9], [8, 8, 8]],
    )
    (found,) = summarise(results, PAPER).models
    assert found.latency_ms
    assert found.latency_ms.value == pytest.approx(4)  # geometric mean of 2 and 8
    assert (found.latency_ms.processes, found.latency_ms.rounds) == (2, 2)
    assert (found.minimum_ms, found.samples) == (1, 6)
    assert found.samples_ms == (2, 1, 9, 8, 8, 8)
    assert found.p90_ms == pytest.approx(8.5)  # halfway between 8 and 9
    assert found.p99_ms == pytest.approx(8.95)
    assert found.mad_percent == pytest.approx(100 * 0.5 / 8)  # distances 0 0 0 1 6 7
    assert found.cold_ms == pytest.approx(2)
    assert (found.load_ms, found.first_run_ms) == (12.34, 5.6)
    assert found.peak_memory_bytes == 78_000_000
    assert found.multiply_adds_per_second == pytest.approx(75e9)
    assert found.share_of_peak == pytest.approx(0.75)


def test_latency_s_interval_is_over_processes(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    alone = with_samples(make_results(make_model("resnet"), processes=1), [[1, 2, 3]])
    (found,) = summarise(alone, PAPER).models
    assert found.latency_ms
    assert (found.latency_ms.low, found.latency_ms.high) == (None, None)
    steady = with_samples(make_results(make_model("resnet"), processes=2), [[1, 2, 3]] * 2)
    (found,) = summarise(steady, PAPER).models
    assert found.latency_ms
    assert found.latency_ms.low == pytest.approx(found.latency_ms.high)


def test_outliers_are_counted_within_a_process_and_stay(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    # Two processes far apart have no outliers; one run far off its own process is one.
    spread = [NormalDist(10, 0.01).inv_cdf(share / 20) for share in range(1, 20)]
    slower = [2 * ms for ms in spread]
    model = make_model("resnet")
    apart = with_samples(make_results(model, processes=2), [spread, slower])
    (found,) = summarise(apart, PAPER).models
    assert found.outliers == 0
    off = with_samples(make_results(model, processes=2), [[*spread, 20.0], slower])
    (found,) = summarise(off, PAPER).models
    assert found.outliers == 1
    assert found.samples_ms.count(20.0) >= 1


def test_threads_are_summarised_apart(make_model: MakeModel, make_results: MakeResults) -> None:
    models = [make_model("alexnet"), make_model("shufflenet-v1", 0.5)]
    results = make_results(*models)
    doubled = replace(
        results,
        parameters=replace(results.parameters, threads=(1, 2)),
        blocks=tuple(plan(models, PAPER, (1, 2), 0)),
    )
    summary = summarise(doubled, PAPER)
    assert [(one.label, one.setting.threads) for one in summary.models] == [
        ("alexnet", 1),
        ("shufflenet-v1-g3-x0.5", 1),
        ("alexnet", 2),
        ("shufflenet-v1-g3-x0.5", 2),
    ]
    assert [one.latency_ms is not None for one in summary.models] == [True, True, False, False]
    assert [(one.setting.threads, one.outcome) for one in summary.verdicts] == [
        (1, "contradicted"),
        (2, "inconclusive"),
    ]


def test_pairs_name_the_models_of_their_block(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [make_model("alexnet"), *shufflenets(make_model)]
    results = make_results(*models, times=lambda process, number, member: (8, 1, 2, 4)[member])
    summary = summarise(results, PAPER)
    assert {
        (
            summary.models[one.numerator].label,
            summary.models[one.denominator].label,
        ): one.ratio.value
        for one in summary.pairs
    } == pytest.approx(
        {
            ("shufflenet-v1-g3-x1.0", "shufflenet-v1-g3-x0.5"): 2,
            ("shufflenet-v1-g3-x2.0", "shufflenet-v1-g3-x0.5"): 4,
            ("alexnet", "shufflenet-v1-g3-x0.5"): 8,
        }
    )


def test_verdicts_come_in_the_order_of_the_claims(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [
        model
        for format_ in ("onnx", "tflite")
        for model in (
            make_model("alexnet", format=format_),
            make_model("mobilenet-v1", 1.0, format=format_),
            *shufflenets(make_model, format=format_),
        )
    ]
    summary = summarise(make_results(*models, processes=1, rounds=1), PAPER)
    assert [(one.claim, one.setting.format) for one in summary.verdicts] == [
        (claim, format_)
        for claim in ("fourfold", "alexnet", "mobilenet")
        for format_ in ("onnx", "tflite")
    ]


def test_what_was_not_timed_has_no_figures(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    # Interrupted before any round: only what was measured alone is there.
    models = [make_model("alexnet"), make_model("shufflenet-v1", 0.5)]
    summary = summarise(make_results(*models, processes=0), PAPER)
    assert [one.latency_ms for one in summary.models] == [None, None]
    assert [one.load_ms for one in summary.models] == [12.34, 12.34]
    assert [(one.samples, one.outliers) for one in summary.models] == [(0, 0)] * 2
    assert summary.pairs == ()
    assert [one.outcome for one in summary.verdicts] == ["inconclusive"]


def test_what_was_not_reached_at_all_is_left_out(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    reached, skipped, not_reached = (make_model("mobilenet-v1", one) for one in (0.25, 0.5, 1.0))
    results = make_results(
        reached,
        replace(skipped, probe=None, skipped="no room"),
        replace(not_reached, probe=None),
        processes=0,
    )
    assert [one.model for one in summarise(results, PAPER).models] == [0, 1]


def test_no_results_have_an_empty_summary(make_results: MakeResults) -> None:
    assert summarise(make_results(), PAPER) == Summary(
        models=(), pairs=(), matrices=(), verdicts=(), front=(), warnings=()
    )


def test_a_file_of_another_tool_has_times_and_no_more(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    foreign = replace(make_model("resnet"), name="net.onnx", options=None, multiply_adds=None)
    (found,) = summarise(make_results(foreign), PAPER).models
    assert found.label == "net.onnx"
    assert found.latency_ms
    assert (found.multiply_adds_per_second, found.share_of_peak) == (None, None)
    assert found.setting == Setting(
        engine="onnxruntime 1.2.3",
        format="onnx",
        input_size=None,
        precision=None,
        lowering=None,
        threads=1,
    )


def test_labels_hold_what_differs(make_model: MakeModel, make_results: MakeResults) -> None:
    models = [
        make_model("shufflenet-v1", 0.5, lowering="plain"),
        make_model("shufflenet-v1", 0.5),
        make_model("shufflenet-v1", 0.5, input_size=(480, 640)),
        make_model("alexnet"),
    ]
    assert labels(summarise(make_results(*models), PAPER)) == [
        "shufflenet-v1-g3-x0.5-224x224-plain",
        "shufflenet-v1-g3-x0.5-224x224",
        "shufflenet-v1-g3-x0.5-480x640",
        "alexnet-224x224",
    ]


def test_one_network_in_two_formats_has_one_label(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [make_model("alexnet"), make_model("alexnet", format="tflite")]
    assert labels(summarise(make_results(*models), PAPER)) == ["alexnet", "alexnet"]


def test_two_builds_of_one_network_are_told_apart_by_their_paths(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    old, new = (
        replace(make_model("alexnet"), path=str(PurePath(folder, "alexnet.onnx")))
        for folder in ("old", "new")
    )
    assert labels(summarise(make_results(old, new), PAPER)) == [
        "old/alexnet.onnx",
        "new/alexnet.onnx",
    ]


def test_a_setting_is_what_makes_times_comparable(make_model: MakeModel) -> None:
    model = make_model("alexnet", format="tflite", input_size=(480, 640), lowering="plain")
    assert setting_of(model, 4) == Setting(
        engine="litert 1.2.3",
        format="tflite",
        input_size=(480, 640),
        precision="fp32",
        lowering="plain",
        threads=4,
    )


def test_no_figure_is_infinite_or_no_number(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [make_model("alexnet"), make_model("shufflenet-v1", 0.5)]
    for processes in (0, 1, 2):
        summary = summarise(make_results(*models, processes=processes, rounds=1), PAPER)
        figures = [
            figure
            for model in summary.models
            for figure in (model.p99_ms, model.mad_percent, model.multiply_adds_per_second)
            if figure is not None
        ]
        assert all(math.isfinite(figure) for figure in figures)
