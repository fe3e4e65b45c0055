from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from rich.console import Console

from shufflenet_deploy.bench.claims import load_paper
from shufflenet_deploy.bench.progress import current, duration, known, shown
from shufflenet_deploy.bench.protocol import Step
from shufflenet_deploy.bench.results import Model, Results
from shufflenet_deploy.bench.summary import Estimate
from shufflenet_deploy.runtime.spec import Progress

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
        "  so far 12.50, about 2 min to go",
        "alexnet: [b], process 2",
        "  so far 12.55 ± 5.1 %, about 40 s to go",
    ]


def test_a_terminal_gets_a_bar_that_names_what_runs_and_what_is_known(results: Results) -> None:
    text = show(results, terminal=True)
    assert "alexnet: [b], process 2: round" in text
    assert "3/3" in text
    assert "about 40 s to go" in text
    assert "12.55 ± 5.1 %" in text


def test_many_blocks_do_not_outgrow_the_terminal(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [make_model("resnet", input_size=(size, size)) for size in range(10, 50)]
    results = make_results(*models, processes=1)
    text = show(results, terminal=True)
    assert "and 22 more" in text


def test_a_block_of_no_claim_tells_its_least_certain_ratio(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    results = make_results(
        *(make_model("mobilenet-v1", scale) for scale in (0.25, 0.5, 1.0)),
        times=lambda process, number, member: 1.0 + member + (member == 1) * process / 10,
    )
    (block,) = results.blocks
    told = current(results, block, PAPER)
    assert told
    assert told.value == pytest.approx(2.2, abs=0.01)
    assert current(replace(results, runs=()), block, PAPER) is None


def test_a_figure_without_an_interval_stands_alone() -> None:
    estimate = Estimate(value=2.5, low=2.4, high=2.6, processes=2, rounds=2)
    assert known(estimate) == "2.50 ± 4.0 %"
    assert known(replace(estimate, low=None, high=None)) == "2.50"
    assert known(None) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "unknown"), (0, "0 s"), (89.4, "89 s"), (90, "2 min"), (3599, "60 min")],
)
def test_durations_are_rough(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
