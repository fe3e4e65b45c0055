"""A user's own models side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from measured_board import a_measurement, derived
from shufflenet_deploy.bench.analysis.pareto import most_accurate
from shufflenet_deploy.bench.analysis.summarise import summarise
from shufflenet_deploy.bench.analysis.wording import names_of_all
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.overview import SAME, overview
from shufflenet_deploy.bench.report.to_html import to_html
from shufflenet_deploy.bench.report.to_markdown import to_markdown
from shufflenet_deploy.bench.results import MeasuredAccuracy, Model, Results

PAPER = load_paper()
MakeData = Callable[..., ReportData]


def accuracy(right: int, data: str = "photos") -> MeasuredAccuracy:
    return MeasuredAccuracy(data=data, images=1000, right=right, among_five=None)


@pytest.fixture
def make_data(make_model: Callable[..., Model], make_results: Callable[..., Results]) -> MakeData:
    """Makes a report's data of models of these times, in milliseconds, and right answers."""

    def make(
        *times: float, right: tuple[int | None, ...] = (), noise: float = 0.001, **changes: Any
    ) -> ReportData:
        models = tuple(
            replace(
                make_model(),
                name=f"{letter}.onnx",
                path=f"models/{letter}.onnx",
                options=None,
                multiply_adds=None,
                size_bytes=1_500_000,
                accuracy=accuracy(answers) if answers is not None else None,
            )
            for letter, answers in zip(
                "abcdefgh"[: len(times)], right or (None,) * len(times), strict=True
            )
        )

        def time(process: int, number: int, member: int) -> float:
            return times[member] * (1 + noise * math.sin(process * (member + 1)))

        results = make_results(*models, times=time, named=len(models), **changes)
        return ReportData(results, summarise(results, PAPER), PAPER)

    return make


def test_a_suite_has_none() -> None:
    assert overview(derived(a_measurement(sizes=((224, 224),)))) is None


def test_the_fastest_and_by_how_much_the_others_are_slower(make_data: MakeData) -> None:
    made = overview(make_data(2.0, 1.0, 3.0))
    assert made
    first, second, third = made.answers
    assert first == "Fastest: b.onnx at 1.00 ms."
    assert second.startswith("a.onnx takes 2.00 (")
    assert second.endswith(") times as long as b.onnx.")
    assert third.startswith("c.onnx takes 3.00 (")


def test_what_may_be_noise_is_called_the_same(make_data: MakeData) -> None:
    made = overview(make_data(1.0, 1.0, 2.0, noise=0.05))
    assert made
    assert "as far as these runs can tell" in made.answers[0]
    assert {"a.onnx", "b.onnx"} <= set(made.answers[0].replace(",", " ").split())
    assert any(answer.startswith("c.onnx takes ") for answer in made.answers)
    (matrix,) = made.matrices
    cells = {row[0].split(": ")[1]: row[1:] for row in matrix.rows}
    marked = {name: [cell.startswith(SAME) for cell in row] for name, row in cells.items()}
    assert sum(map(sum, marked.values())) == 2
    assert not any(marked["c.onnx"])


def test_without_an_interval_nothing_is_called_noise(make_data: MakeData) -> None:
    made = overview(make_data(1.0, 1.5, processes=1))
    assert made
    assert made.answers == (
        "Fastest: a.onnx at 1.00 ms.",
        "b.onnx takes 1.50 times as long as a.onnx.",
    )


def test_the_table_has_all_that_is_known(make_data: MakeData) -> None:
    made = overview(make_data(2.0, 1.0, right=(900, 800)))
    assert made
    table = made.models
    named = [
        dict(zip([column.heading for column in table.columns], row, strict=True))
        for row in table.rows
    ]
    assert [row["model"] for row in named] == ["b.onnx", "a.onnx"]
    assert named[0]["times the fastest"] == "1"
    assert named[1]["times the fastest"].startswith("2.00 (")
    assert (named[1]["size (MB)"], named[1]["RAM (MB)"], named[1]["top-1 (%)"]) == (
        "1.5",
        "78",
        "90.0",
    )
    assert made.matrices == ()


def test_no_column_of_accuracy_without_any(make_data: MakeData) -> None:
    made = overview(make_data(2.0, 1.0))
    assert made
    assert "top-1 (%)" not in [column.heading for column in made.models.columns]


def test_what_is_never_timed_has_no_times(make_data: MakeData) -> None:
    data = make_data(2.0, 1.0)
    target = replace(data.results.target, latency=False)
    results = replace(data.results, target=target, runs=())
    made = overview(ReportData(results, summarise(results, PAPER), PAPER))
    assert made
    assert made.answers == ()
    headings = [column.heading for column in made.models.columns]
    assert "size (MB)" in headings
    assert not any("ms" in heading for heading in headings)


def test_accuracy_is_weighed_against_time(make_data: MakeData) -> None:
    data = make_data(1.0, 2.0, 3.0, right=(700, 900, 800))
    made = overview(data)
    assert made
    assert any(
        answer.startswith("Most often right: b.onnx, 90.0% (88.0 to 91.7) of 1000 images of photos")
        for answer in made.answers
    )
    assert made.answers[-1] == "No other is as fast and as often right as: a.onnx and b.onnx."
    assert [point.on_front for point in data.summary.front] == [True, True, False]
    assert all(point.measured for point in data.summary.front)


def test_of_equal_accuracy_the_fastest_alone_is_on_the_front(make_data: MakeData) -> None:
    data = make_data(2.0, 1.0, right=(900, 900))
    assert [point.on_front for point in data.summary.front] == [False, True]
    made = overview(data)
    assert made
    assert any(
        answer.startswith("All that were evaluated are right as often") for answer in made.answers
    )
    (point,) = most_accurate(data.summary, 5.0).values()
    assert point
    assert point.model == 1


@pytest.mark.parametrize(("right", "same"), [(899, True), (881, True), (870, False)])
def test_accuracies_within_the_interval_may_be_the_same(
    right: int, same: bool, make_data: MakeData
) -> None:
    made = overview(make_data(1.0, 2.0, right=(900, right)))
    assert made
    (answer,) = (answer for answer in made.answers if answer.startswith("Most often right: a"))
    assert answer.endswith("; b.onnx as often, as far as these images tell.") == same


@pytest.mark.parametrize(("budget_ms", "best"), [(0.5, None), (1.5, 0), (2.5, 1), (9.0, 1)])
def test_a_budget_is_of_the_users_own_accuracies(
    budget_ms: float, best: int | None, make_data: MakeData
) -> None:
    data = make_data(1.0, 2.0, 3.0, right=(700, 900, 800))
    ((threads, point),) = most_accurate(data.summary, budget_ms).items()
    assert threads == 1
    assert (point.model if point else None) == best


@pytest.mark.parametrize("count", [2, 3, 6])
def test_the_matrix_is_its_own_inverse(count: int, make_data: MakeData) -> None:
    (matrix,) = make_data(*(1.0 + member / 3 for member in range(count))).summary.matrices
    assert len(matrix.members) == count
    for row in range(count):
        assert matrix.ratios[row][row] is None
        for column in range(row):
            below, above = matrix.ratios[row][column], matrix.ratios[column][row]
            assert below
            assert above
            assert below.value >= 1
            assert below.value * above.value == pytest.approx(1)
            assert below.low
            assert above.high
            assert below.low * above.high == pytest.approx(1)


def test_a_page_of_own_models_has_no_empty_parts(make_data: MakeData) -> None:
    page = to_html(make_data(2.0, 1.0))
    assert page.index('id="overview"') < page.index('id="models"')
    for absent in ("verdicts", "alexnet", "scaling", "front"):
        assert f'<section id="{absent}"' not in page
    assert "No claim of the paper" not in page
    assert "<h1>Models on" in page


def test_a_page_of_a_suite_has_no_overview() -> None:
    page = to_html(derived(a_measurement(sizes=((224, 224),))))
    assert 'id="overview"' not in page
    assert '<section id="verdicts">' in page


def test_markdown_has_it_before_any_claim(make_data: MakeData) -> None:
    text = to_markdown(make_data(2.0, 1.0, 3.0, right=(900, 800, 700)))
    assert text.index("## Side by side") < text.index("## Warnings")
    assert "## Verdicts" not in text
    assert "- Fastest: b.onnx at 1.00 ms." in text


def test_names_that_are_equal_are_told_apart(
    make_model: Callable[..., Model], make_results: Callable[..., Results]
) -> None:
    first, second = make_model(), make_model(format="tflite")
    data = summarise(make_results(first, second, named=2), PAPER)
    names = names_of_all(data.models)
    assert len(set(names)) == 2
    assert all(name.endswith(")") for name in names)
