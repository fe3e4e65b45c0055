"""One data model, several renderers: each of them prints its figures and its words."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from measured_board import a_measurement, derived
from shufflenet_deploy.bench.analysis.summarise import summarise
from shufflenet_deploy.bench.analysis.summary import Setting
from shufflenet_deploy.bench.analysis.wording import LATENCY, MISSING
from shufflenet_deploy.bench.presentation.tables import Table
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.document import Document, document
from shufflenet_deploy.bench.report.tables import names_of
from shufflenet_deploy.bench.report.to_csv import to_csv
from shufflenet_deploy.bench.report.to_html import to_html
from shufflenet_deploy.bench.report.to_markdown import escaped, to_markdown
from shufflenet_deploy.bench.report.to_terminal import show
from shufflenet_deploy.bench.report.verdicts import SYMBOLS
from shufflenet_deploy.bench.results import Model, Native, Results

SMALL = ((224, 224),)
MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]


class Tables(HTMLParser):
    """The rows of a page's tables, each by its caption, and the text of the rest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self.texts: list[str] = []
        self._into: list[str] | None = None
        self._caption = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "caption":
            self._into = self.texts
            self.texts.append("")
        elif tag == "tr":
            self.rows[self._caption].append([])
        elif tag in ("td", "th"):
            self.rows[self._caption][-1].append("")
            self._into = self.rows[self._caption][-1]

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self._caption = self.texts[-1]
            self.rows[self._caption] = []
        if tag in ("caption", "td", "th"):
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is None:
            self.texts.append(data)
        else:
            self._into[-1] += data


def with_native(data: ReportData) -> ReportData:
    """`data`, some of whose models another harness has measured too."""
    native = tuple(
        Native(
            member=member,
            threads=1,
            process=process,
            runner_sha256="0" * 64,
            runs=50,
            init_ms=3.456,
            first_ms=12.3,
            mean_ms=11.2,
            minimum_ms=10.9,
            maximum_ms=13.0,
            deviation_ms=0.3,
            median_ms=None if process else 11.1,
        )
        for member in (0, 1)
        for process in range(5)
    )
    return derived(replace(data.results, native=native))


@pytest.fixture(scope="module", params=["board", "emulated", "several", "two engines"])
def shown(
    request: pytest.FixtureRequest, make_model: MakeModel, make_results: MakeResults
) -> ReportData:
    """Measurements of every kind that has tables of its own."""
    if request.param == "board":
        return with_native(derived(a_measurement(sizes=SMALL)))
    if request.param == "emulated":
        return derived(a_measurement(latency=False, sizes=SMALL))
    if request.param == "several":
        names = ("plain.onnx", "[odd] name.onnx")
        return derived(a_measurement(sizes=((480, 640),), threads=(1, 2), foreign=names))
    models = [make_model("resnet"), make_model("resnet", format="tflite")]
    return derived(make_results(*models, named=2, times=lambda *run: 0.01 + 0.02 * run[2]))


@pytest.fixture(scope="module")
def tables(shown: ReportData) -> Tables:
    """What the page of `shown` holds."""
    return Tables(to_html(shown))


def on_terminal(data: ReportData) -> str:
    stream = io.StringIO()
    show(data, Console(file=stream, width=500, soft_wrap=True))
    return stream.getvalue()


def every_table(parts: Document) -> Iterator[Table]:
    yield from parts.models
    yield from parts.pairs
    for claim in parts.claims:
        yield claim.table


def terminal_rows(text: str) -> set[str]:
    return {" ".join(line.split()) for line in text.splitlines()}


def test_the_terminal_prints_every_cell_that_it_has_room_for(shown: ReportData) -> None:
    parts = document(shown)
    text = on_terminal(shown)
    lines = terminal_rows(text)
    for table in every_table(parts):
        assert (table.brief or table.caption) in text
        narrow = [place for place, one in enumerate(table.columns) if not one.wide_only]
        for row in table.rows:
            assert " ".join(row[place] for place in narrow) in lines


def test_markdown_has_every_cell(shown: ReportData) -> None:
    parts = document(shown)
    text = to_markdown(shown)
    lines = text.splitlines()
    for table in [*every_table(parts), *([parts.front] if parts.front.rows else []), *parts.facts]:
        headings = " | ".join(escaped(one.heading) for one in table.columns)
        assert f"| {headings} |" in lines
        for row in table.rows:
            cells = [
                f"{SYMBOLS[cell]} {cell}"  # type: ignore[index]
                if column.outcome
                else cell
                if cell == MISSING
                else escaped(cell)
                for column, cell in zip(table.columns, row, strict=True)
            ]
            assert f"| {' | '.join(cells)} |" in lines


def test_the_page_has_every_cell(shown: ReportData, tables: Tables) -> None:
    parts = document(shown)
    for table in [*parts.models, *parts.pairs, *parts.facts]:
        headings = [one.heading for one in table.columns]
        rows = tables.rows[table.caption]
        assert rows == [*([headings] if any(headings) else []), *map(list, table.rows)]
    for claim in parts.claims:
        rows = [row for row in tables.rows[claim.table.caption][1:] if len(row) > 1]
        for row, cells in zip(rows, claim.table.rows, strict=True):
            setting, measured, interval, band, paper, theory, share, outcome = cells
            verdict, where, figures, _, *others = [" ".join(cell.split()) for cell in row]
            assert verdict.endswith(outcome)
            assert where == setting
            assert figures.split(" ", 1) == (
                [measured] if measured == MISSING else [measured, interval]
            )
            assert others == [band, paper, theory, share]


def test_what_is_said_besides_is_the_same_everywhere(shown: ReportData, tables: Tables) -> None:
    parts = document(shown)
    terminal, markdown = on_terminal(shown), to_markdown(shown)
    page = " ".join(" ".join(tables.texts).split())
    for warning in parts.warnings:
        for words in (warning.evidence, warning.remedy):
            assert words in terminal
            assert escaped(words) in markdown
            assert words in page
    for note in (*parts.notes, *parts.not_measured):
        assert note in terminal
        assert escaped(note) in markdown
        assert note in page
    for one in parts.explained:
        assert (f"{one.name}: {one.meaning}" in terminal) is not one.wide_only
        assert escaped(f"{one.name}: {one.meaning}") in markdown
        assert one.meaning in page
    for claim in parts.claims:
        assert claim.table.brief is not None
        assert claim.table.brief.startswith(claim.title)


def test_the_table_for_programs_rounds_to_the_same_figures() -> None:
    data = derived(a_measurement(sizes=SMALL))
    rows = {(row["label"], row["engine"]): row for row in csv.DictReader(io.StringIO(to_csv(data)))}
    for setting, one in zip((s for s, _ in data.groups()), document(data).settings, strict=True):
        headings = [column.heading for column in one.models.columns]
        for cells in one.models.rows:
            told = dict(zip(headings, cells, strict=True))
            raw = rows[told["model"], setting.engine]
            for heading, name in (
                ("latency (ms)", "latency_ms"),
                ("p99 (ms)", "p99_ms"),
                ("cold (ms)", "cold_ms"),
                ("MAD (%)", "mad_percent"),
            ):
                assert f"{float(raw[name]):.2f}" == told[heading]


def test_a_latency_is_called_the_same_everywhere(data: ReportData, page: Path) -> None:
    assert LATENCY.startswith("geometric mean")
    for text in (on_terminal(data), to_markdown(data), page.read_text(encoding="utf-8")):
        assert LATENCY in text.replace("&#39;", "'")


def test_the_models_of_every_pair_can_be_told_apart(shown: ReportData) -> None:
    for table in document(shown).pairs:
        pairs = [row[0] for row in table.rows]
        assert len(set(pairs)) == len(pairs)
        for pair in pairs:
            above, below = pair.split(" / ")
            assert above != below


def test_two_formats_of_one_engine_are_told_apart_by_format(data: ReportData) -> None:
    above, below = islice(data.summary.models, 2)
    setting = above.setting
    other = replace(below, label=above.label, setting=replace(setting, format="other"))
    assert names_of(above, other) == (
        f"{above.label} ({setting.format})",
        f"{above.label} (other)",
    )
    assert names_of(above, below) == (above.label, below.label)


def test_settings_stand_as_they_were_measured_and_small_inputs_first(
    make_report_data: Callable[..., ReportData],
) -> None:
    data = make_report_data(sizes=((480, 640), (224, 224)), threads=(2, 1))
    order: list[Setting] = [setting for setting, _ in data.groups()]
    told = [(one.engine.split()[0], one.threads, one.input_size) for one in order]
    assert told == [
        (engine, threads, size)
        for engine in ("onnxruntime", "litert")
        for threads in (1, 2)
        for size in ((224, 224), (480, 640))
    ]


def test_a_summary_without_times_has_no_front(shown: ReportData) -> None:
    untimed = replace(
        shown.summary, models=tuple(replace(one, latency_ms=None) for one in shown.summary.models)
    )
    parts = document(ReportData(shown.results, untimed, shown.paper))
    assert parts.front.rows == ()
    assert summarise(shown.results, shown.paper).models == shown.summary.models
