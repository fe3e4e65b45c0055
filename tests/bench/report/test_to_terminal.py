from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from rich.console import Console

from shufflenet_deploy.bench.analysis.summarise import summarise
from shufflenet_deploy.bench.analysis.warnings import notes
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.presentation.terminal import stdout_console
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.to_terminal import show, show_budget
from shufflenet_deploy.bench.results import Model, Results

PAPER = load_paper()
MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]
NETWORKS = (
    ("shufflenet-v1", 0.5, 38, 15.2),
    ("shufflenet-v1", 1.0, 140, 37.8),
    ("shufflenet-v1", 2.0, 524, 108.8),
    ("alexnet", None, 720, 184.0),
    ("mobilenet-v1", 1.0, 569, 110.0),
)


def text_of(results: Results, width: int = 80) -> str:
    stream = io.StringIO()
    data = ReportData(results, summarise(results, PAPER), PAPER, notes(results))
    show(data, Console(file=stream, width=width))
    return stream.getvalue()


def row(text: str, start: str) -> str:
    """The figures after `start`, which begins one line only, with single spaces between."""
    (line,) = (line for line in text.splitlines() if line.startswith(start))
    return " ".join(line.removeprefix(start).split())


@pytest.fixture
def quick(make_model: MakeModel, make_results: MakeResults) -> Results:
    """What a run of the quick suite gives on a machine that is the paper's, in its own noise."""
    models = [
        make_model(network, scale, multiply_adds=work * 1_000_000, format=format_)
        for format_ in ("onnx", "tflite")
        for network, scale, work, _ in NETWORKS
    ]
    return make_results(
        *models,
        times=lambda process, number, member: NETWORKS[member % 5][3] * (1 + process / 1000),
        peak_multiply_adds_per_second={1: 1e10},
        suite="quick",
    )


def test_it_fits_a_terminal_of_80_columns(quick: Results) -> None:
    text = text_of(quick)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "onnxruntime 1.2.3, 224x224, fp32, 1 thread" in lines
    assert "litert 1.2.3, 224x224, fp32, 1 thread" in lines
    assert "…" not in text
    assert text.count(" supported") == 6
    assert text.count("\nshufflenet-v1-g3-x0.5 ") == 2  # no name is folded


def test_a_model_s_figures_stand_in_one_row(quick: Results) -> None:
    text = text_of(replace(quick, models=quick.models[:5], blocks=quick.blocks[:3]))
    # Multiply-adds, latency, half its interval, p90, p99, cold, load, memory, share of the peak.
    assert row(text, "shufflenet-v1-g3-x0.5 ") == "38.0 15.23 0.1 15.26 15.26 30.46 12.3 78 25"
    figures = row(text, "alexnet  ")
    assert figures == "720.0 184.37 0.2 184.74 184.74 368.74 12.3 78 39"


def test_ratios_stand_beside_the_paper_s(quick: Results) -> None:
    text = text_of(replace(quick, models=quick.models[:5], blocks=quick.blocks[:3]))
    figures = row(text, "alexnet / shufflenet-v1-g3-x0.5 ")
    assert figures == "12.105 12.105 to 12.105 12.11"


def test_the_paper_measured_like_the_paper(quick: Results) -> None:
    text = text_of(quick, width=200)
    assert (
        "AlexNet / ShuffleNet 0.5x: the paper says about 13, which holds for 12.1 to 14\n"
    ) in text
    for engine in ("onnxruntime", "litert"):
        verdicts = [
            " ".join(line.split()).partition(" thread ")[2]
            for line in text.splitlines()
            if line.startswith(f"{engine} 1.2.3 224x224 fp32 1 thread ")
        ]
        assert verdicts == [
            "2.83 2.83 to 2.83 2.83 4.00 supported",
            "12.11 12.11 to 12.11 12.11 18.95 supported",
            "0.99 0.99 to 0.99 0.99 0.92 supported",
        ]


def test_what_is_inconclusive_says_what_would_settle_it(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [make_model("alexnet"), make_model("shufflenet-v1", 0.5)]
    text = text_of(make_results(*models, processes=1), width=200)
    assert (
        "AlexNet / ShuffleNet 0.5x, onnxruntime 1.2.3 224x224 fp32 1 thread: "
        "one process gives no interval: measure at least two"
    ) in text


def test_models_that_are_no_claim_have_no_verdicts(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    text = text_of(make_results(make_model("resnet")))
    assert row(text, "resnet ").startswith("1.0 1.00 0.0 1.00 1.00 2.00 12.3 78")
    assert "the paper says" not in text
    assert "ratios of times" not in text


def test_what_was_not_measured_is_a_dash(make_model: MakeModel, make_results: MakeResults) -> None:
    model = make_model("alexnet")
    assert model.probe
    model = replace(model, probe=replace(model.probe, peak_memory_bytes=None))
    text = text_of(make_results(model, processes=0))
    assert row(text, "alexnet ") == "1.0 - - - - - 12.3 - -"


def test_what_did_not_fit_is_named(make_model: MakeModel, make_results: MakeResults) -> None:
    model = replace(make_model("alexnet"), probe=None, skipped="alexnet.onnx needs 900 MB")
    text = text_of(make_results(model, processes=0))
    assert "not measured: alexnet.onnx needs 900 MB\n" in text


def test_a_ratio_of_two_engines_names_both(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [make_model("resnet"), make_model("resnet", format="tflite")]
    text = text_of(make_results(*models, named=2), width=200)
    assert row(text, "resnet (litert 1.2.3) / resnet (onnxruntime 1.2.3) ").startswith("1.000")


def test_a_name_with_brackets_is_no_markup(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [
        replace(make_model("alexnet"), path=f"{folder}/alexnet.onnx") for folder in ("old", "[new]")
    ]
    text = text_of(make_results(*models, named=2))
    assert row(text, "[new]/alexnet.onnx  ")
    assert row(text, "[new]/alexnet.onnx / old/alexnet.onnx ").startswith("1.000")


def test_a_long_name_is_folded_and_not_cut(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    model = replace(make_model("resnet"), path="folder/" * 20 + "resnet.onnx")
    text = text_of(make_results(model, replace(model, path="other")))
    assert max(map(len, text.splitlines()[2:])) <= 80
    assert "…" not in text


def test_missing_readings_of_the_machine_are_called_missing(
    make_results: MakeResults, make_model: MakeModel
) -> None:
    results = make_results(make_model("alexnet"))
    assert "local: a processor, 4 cores, aarch64, 4.0 GB\n" in text_of(results)
    known = replace(
        results.environment, board="Raspberry Pi 5", cores=None, total_memory_bytes=None
    )
    text = text_of(replace(results, environment=known))
    assert "local: Raspberry Pi 5, unknown number of cores, aarch64, memory size missing" in text


def test_warnings_and_notes_stand_below(make_results: MakeResults, make_model: MakeModel) -> None:
    text = text_of(make_results(make_model("alexnet"), make_model("resnet"), named=2), width=200)
    assert "random weights" in text
    assert "warning: " in text
    assert "measured on a Qualcomm Snapdragon 820, one thread" in text


def forecast_of(results: Results, budget_ms: float) -> str:
    stream = io.StringIO()
    show_budget(summarise(results, PAPER), budget_ms, Console(file=stream, width=200))
    return stream.getvalue()


def test_a_budget_is_answered_for_each_engine(quick: Results) -> None:
    text = forecast_of(quick, 40)
    assert text.splitlines() == [
        f"within 40 ms on {engine} 1.2.3 224x224 fp32 1 thread: shufflenet-v1-g3-x1.0, "
        "37.88 ms, top-1 error 32.6 % (the paper's table 2)"
        for engine in ("onnxruntime", "litert")
    ]
    assert forecast_of(quick, 0.5).count(": none") == 2


def test_without_published_errors_a_budget_says_where_they_are(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    assert "--suite variants" in forecast_of(make_results(make_model("resnet")), 20)


def test_piped_it_is_wide_enough_for_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert stdout_console().width >= 120
