from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from shufflenet_deploy.bench.analysis.summary import Estimate
from shufflenet_deploy.bench.measure.progress import current, duration, known, shown
from shufflenet_deploy.bench.measure.protocol import Step
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import Model, Results, Timed
from shufflenet_deploy.runtime.worker.spec import Progress

PAPER = load_paper()
MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]
ALONE = Step("alone: [a].onnx", None)
FIRST = Step("alexnet: onnx, process 1", 100.0)
SECOND = Step("alexnet: [b], process 2", 40.0)


@pytest.fixture
def results(make_model: MakeModel, make_results: MakeResults) -> Results:
    """AlexNet is 12.5 times slower, give or take: three processes of one block."""
    return make_results(
        make_model("shufflenet-v1", 0.5),
        make_model("alexnet"),
        times=lambda process, number, member: (1.0, 12.5 + process / 10)[member],
        processes=3,
    )


def show(results: Results, terminal: bool) -> str:
    stream = io.StringIO()
    with shown(Console(file=stream, force_terminal=terminal, width=120), PAPER) as view:
        view.report(ALONE, Progress(stage="load", done=0, total=1))
        view.update(replace(results, runs=()))
        for step, runs in ((FIRST, results.runs[:1]), (SECOND, results.runs[:2])):
            for done in range(4):
                view.report(step, Progress(stage="round", done=done, total=3))
            view.update(replace(results, runs=runs))
    return stream.getvalue()


def test_a_log_gets_a_line_for_each_worker_and_what_is_known_after_it(results: Results) -> None:
    assert show(results, terminal=False).splitlines() == [
        "alone: [a].onnx",
        "about 2 min to go, at least",
        "alexnet: onnx, process 1",
        "  so far alexnet / shufflenet-v1-g3-x0.5 = 12.50, about 2 min to go",
        "alexnet: [b], process 2",
        "  so far alexnet / shufflenet-v1-g3-x0.5 = 12.55 ± 5.1 %, about 40 s to go",
    ]


def test_a_terminal_gets_a_bar_that_names_what_runs_and_what_is_known(results: Results) -> None:
    text = show(results, terminal=True)
    assert "alexnet: [b], process 2: round" in text
    assert "3/3" in text
    assert "about 40 s to go" in text
    assert "alexnet / shufflenet-v1-g3-x0.5" in text
    assert "12.55 ± 5.1 %" in text


def test_many_blocks_do_not_outgrow_the_terminal(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [make_model("resnet", input_size=(size, size)) for size in range(10, 50)]
    results = make_results(*models, processes=1)
    text = show(results, terminal=True)
    assert "and 22 more" in text


@pytest.fixture
def three(make_model: MakeModel, make_results: MakeResults) -> Results:
    """No claim's: the first ratio is 2.2 give or take; the second surely 3 but in process 3."""
    return make_results(
        *(make_model("mobilenet-v1", scale) for scale in (0.25, 0.5, 1.0)),
        times=lambda process, number, member: (
            1.0,
            2.0 + process / 10,
            9.0 if process == 3 else 3.0,
        )[member],
    )


def test_a_block_tells_one_ratio_by_its_name_whichever_is_the_least_certain(
    three: Results,
) -> None:
    (block,) = three.blocks
    figures = [
        current(replace(three, runs=three.runs[:number]), block, PAPER) for number in range(6)
    ]
    assert figures[0] is None
    assert {figure.name for figure in figures if figure} == {
        "mobilenet-v1-x0.5 / mobilenet-v1-x0.25"
    }
    values = [round(figure.estimate.value, 2) for figure in figures if figure]
    assert values == [2.0, 2.05, 2.1, 2.15, 2.2]
    told = [str(figure).partition(", ")[2] for figure in figures]
    assert told[:4] == ["", "1 other ratio", *["1 other ratio within ± 0.0 %"] * 2]
    assert float(told[4].split()[-2]) > 50  # process 3


def test_a_claim_that_is_no_ratio_is_told_by_its_title(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    results = make_results(
        *(
            make_model("shufflenet-v1", scale, multiply_adds=work)
            for scale, work in ((0.5, 1_000_000), (1.0, 4_000_000), (2.0, 16_000_000))
        ),
        times=lambda process, number, member: (1.0, 3.0, 9.0)[member],
    )
    (block,) = results.blocks
    assert str(current(results, block, PAPER)) == (
        "speedup per 4-fold cut of multiply-adds = 3.00 ± 0.0 %, 2 other ratios within ± 0.0 %"
    )


def test_a_model_in_two_formats_is_told_apart(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [make_model("resnet", format=name) for name in ("onnx", "tflite")]
    results = make_results(*models, named=2)
    (block,) = results.blocks
    figure = current(results, block, PAPER)
    assert figure
    assert figure.name == "resnet (tflite) / resnet (onnx)"


def test_a_file_on_two_engines_is_told_apart(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    model = make_model("resnet")
    results = make_results(model, replace(model, engine="second"), named=2)
    (block,) = results.blocks
    figure = current(results, block, PAPER)
    assert figure
    assert figure.name == "resnet (second) / resnet (onnxruntime)"


def test_a_model_that_was_skipped_leaves_the_ratios_of_the_others(three: Results) -> None:
    (block,) = three.blocks
    runs = tuple(
        replace(run, models=(run.models[0], run.models[2]))
        for run in three.runs
        if isinstance(run, Timed)
    )
    figure = current(replace(three, runs=runs), block, PAPER)
    assert figure
    assert figure.name == "mobilenet-v1-x1.0 / mobilenet-v1-x0.25"
    assert figure.others == ()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_narrow_terminal_cuts_names_and_no_figure(three: Results, width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, color_system=None)
    with shown(console, PAPER) as view:
        view.update(three)
    text = Text.from_ansi(stream.getvalue()).plain
    assert " 2.20 ± 9.0 %" in text
    assert ("mobilenet-v1-x0.5 / mobilenet-v1-x0.25" in text) == (width > 100)
    assert max(map(len, text.splitlines())) <= width


def test_a_figure_without_an_interval_stands_alone() -> None:
    estimate = Estimate(value=2.5, low=2.4, high=2.6, processes=2, rounds=2)
    assert known(estimate) == "2.50 ± 4.0 %"
    assert known(replace(estimate, low=None, high=None)) == "2.50"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "unknown"), (0, "0 s"), (89.4, "89 s"), (90, "2 min"), (3599, "60 min")],
)
def test_durations_are_rough(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
