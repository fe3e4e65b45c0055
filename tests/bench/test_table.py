from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from rich.console import Console

from shufflenet_deploy.bench.claims import load_paper
from shufflenet_deploy.bench.results import Model, Results
from shufflenet_deploy.bench.summary import summarise
from shufflenet_deploy.bench.table import show, stdout_console

PAPER = load_paper()
MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]


def text_of(results: Results, width: int = 80) -> str:
    stream = io.StringIO()
    show(results, summarise(results, PAPER), PAPER, Console(file=stream, width=width))
    return stream.getvalue()


def row(text: str, start: str) -> str:
    """The figures after `start`, which begins one line only, with single spaces between."""
    (line,) = (line for line in text.splitlines() if line.startswith(start))
    return " ".join(line.removeprefix(start).split())


@pytest.fixture
def quick(make_model: MakeModel, make_results: MakeResults) -> Results:
    """What a run of the quick suite gives, in round numbers."""
    networks = (
        ("shufflenet-v1", 0.5, 38, 15.2),
        ("shufflenet-v1", 1.0, 140, 37.8),
        ("shufflenet-v1", 2.0, 524, 108.8),
        ("alexnet", None, 720, 184.0),
        ("mobilenet-v1", 1.0, 569, 110.0),
    )
    return make_results(
        *(
            make_model(
                network,
                scale,
                {0: [round(ms * 1e6)] * 3, 1: [round(ms * 1.1e6)] * 3, 2: [round(ms * 1.2e6)] * 3},
                multiply_adds=work * 1_000_000,
                format=format_,
            )
            for format_ in ("onnx", "tflite")
            for network, scale, work, ms in networks
        )
    )


def test_it_fits_a_terminal_of_80_columns(quick: Results) -> None:
    lines = text_of(quick).splitlines()
    assert max(map(len, lines)) <= 80
    assert "onnxruntime 1.2.3, 224x224, fp32, 1 thread, 3 rounds" in lines
    assert "litert 1.2.3, 224x224, fp32, 1 thread, 3 rounds" in lines
    assert "…" not in "".join(lines)


def test_a_model_s_figures_stand_in_one_row(make_results: MakeResults, quick: Results) -> None:
    text = text_of(make_results(*quick.models[:5]))
    # Multiply-adds, latency, spread, load, memory, faster than AlexNet, the same in the paper.
    assert row(text, "shufflenet-v1-g3-x0.5") == "38.0 16.72 9.1 12.3 78 12.11 12.11"
    assert row(text, "alexnet") == "720.0 202.40 9.1 12.3 78 1.00 1.00"


def test_the_paper_measured_like_the_paper(quick: Results) -> None:
    text = text_of(quick)
    # Both engines, table 8, what the paper says, theory.
    assert row(text, "AlexNet / ShuffleNet 0.5x g3") == "12.11 12.11 12.11 ~13 18"
    assert row(text, "speedup per 4-fold multiply-adds") == "2.83 2.83 2.83 ~2.6 4"


def test_without_alexnet_there_is_a_dash(make_results: MakeResults, quick: Results) -> None:
    text = text_of(make_results(*quick.models[:3]))
    assert row(text, "shufflenet-v1-g3-x2.0").endswith(" - 1.69")
    assert row(text, "AlexNet / ShuffleNet 0.5x g3") == "- 12.11 ~13 18"
    assert row(text, "speedup per 4-fold multiply-adds") == "2.83 2.83 ~2.6 4"


def test_a_model_alone_has_no_table_of_the_paper_s_ratios(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    text = text_of(make_results(make_model("resnet", None, {0: [5_000_000]})))
    assert row(text, "resnet") == "1.0 5.00 0.0 12.3 78 - -"
    assert "the paper's ratios at" not in text


def test_what_was_not_measured_is_a_dash(make_model: MakeModel, make_results: MakeResults) -> None:
    model = make_model("alexnet")
    model = replace(model, probe=replace(model.probe, peak_memory_bytes=None))
    text = text_of(make_results(model))
    assert row(text, "alexnet") == "1.0 - - 12.3 - - 1.00"
    assert "0 rounds" in text


def test_names_hold_what_differs_and_titles_what_does_not(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    text = text_of(
        make_results(
            make_model("shufflenet-v1", 0.5, lowering="plain"),
            make_model("shufflenet-v1", 0.5),
            make_model("shufflenet-v1", 0.5, input_size=(480, 640)),
        ),
        width=120,
    )
    assert "onnxruntime 1.2.3, fp32, 1 thread" in text
    assert row(text, "shufflenet-v1-g3-x0.5-224x224-plain ")
    assert row(text, "shufflenet-v1-g3-x0.5-224x224 ")
    assert row(text, "shufflenet-v1-g3-x0.5-480x640 ")


def test_two_builds_of_one_network_are_told_apart_by_their_paths(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    old, new = (
        replace(make_model("alexnet"), path=f"{folder}/alexnet.onnx") for folder in ("old", "[new]")
    )
    text = text_of(make_results(old, new))
    assert row(text, "old/alexnet.onnx")
    assert row(text, "[new]/alexnet.onnx")


def test_a_long_name_is_folded_and_not_cut(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    model = replace(make_model("alexnet"), path="folder/" * 20 + "alexnet.onnx")
    text = text_of(make_results(model, replace(model, path="other")))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_sizes_are_held_against_the_paper_apart(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [
        make_model(network, scale, {0: [time]}, input_size=size)
        for size in ((224, 224), (480, 640))
        for network, scale, time in (("alexnet", None, 100), ("shufflenet-v1", 0.5, 10))
    ]
    text = text_of(make_results(*models), width=120)
    assert "the paper's ratios at 224x224 fp32" in text
    assert "the paper's ratios at 480x640 fp32" in text


def test_missing_readings_of_the_machine_are_called_missing(
    make_results: MakeResults, make_model: MakeModel
) -> None:
    results = make_results(make_model("alexnet"))
    assert "local: a processor, 4 cores, aarch64, 4.0 GB\n" in text_of(results)
    assert "governor missing, temperature missing, load missing\n" in text_of(results)
    known = replace(
        results.environment,
        board="Raspberry Pi 5",
        governor="performance",
        temperature_c=51.2,
        load_average=(0.1, 0.2, 0.3),
        cores=None,
        total_memory_bytes=None,
    )
    text = text_of(replace(results, environment=known))
    assert "local: Raspberry Pi 5, unknown number of cores, aarch64, memory size missing" in text
    assert "governor performance, temperature 51 C, load 0.10\n" in text


def test_random_weights_and_another_architecture_are_said(
    make_results: MakeResults, make_model: MakeModel
) -> None:
    results = make_results(make_model("alexnet"))
    assert "weights are random" in text_of(results)
    assert "no ARM processor" not in text_of(results)
    trained = make_results(make_model("alexnet", weights="imagenet"))
    assert "weights are random" not in text_of(trained)
    pc = replace(results, environment=replace(results.environment, architecture="x86_64"))
    assert "this is no ARM processor but x86_64" in text_of(pc)


def test_piped_it_is_wide_enough_for_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert stdout_console().width >= 120
