from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shufflenet_deploy.bench.analysis.summary import Warning
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.to_html import to_html
from shufflenet_deploy.bench.report.verdicts import SYMBOLS

SMALL = ((224, 224),)


class Page(HTMLParser):
    """The page's elements in their order, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    @property
    def ids(self) -> list[str]:
        return [one["id"] or "" for one in self.attributes if "id" in one]

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [
            found for name, found in zip(self.tags, self.attributes, strict=True) if name == tag
        ]


@pytest.fixture(scope="module")
def html(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_the_parts_stand_in_the_order_of_their_weight(html: str) -> None:
    assert re.findall(r'<section id="([^"]*)"', html) == [
        "verdicts",
        "warnings",
        "scaling",
        "alexnet",
        "distributions",
        "course",
        "front",
        "models",
        "pairs",
        "environment",
        "protocol",
        "notes",
    ]


def test_it_is_one_page_that_needs_nothing_else(html: str) -> None:
    page = Page(html)
    assert not {"script", "img", "iframe", "object", "embed"} & set(page.tags)
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert len(page.ids) == len(set(page.ids))


def test_every_outcome_is_told_by_word_and_symbol(html: str) -> None:
    for outcome, symbol in SYMBOLS.items():
        assert f'<span aria-hidden="true">{symbol}</span> {outcome}</span>' in html


def test_an_inconclusive_verdict_says_what_would_settle_it(html: str, data: ReportData) -> None:
    (reason,) = {one.reason for one in data.summary.verdicts if one.outcome == "inconclusive"}
    assert f"Inconclusive: {reason}." in unescape(html)


def test_every_figure_tells_its_finding_in_words(html: str) -> None:
    page = Page(html)
    figures = page.tags.count("figure")
    assert figures >= 6 * 3 + 2
    assert page.tags.count("figcaption") == figures
    assert len([one for one in page.all("svg") if one.get("role") == "img"]) == figures
    assert "A 4-fold cut of multiply-adds makes ShuffleNet" in html


def test_tables_have_captions_and_scopes(html: str) -> None:
    page = Page(html)
    assert page.tags.count("caption") == page.tags.count("table")
    assert {one.get("scope") for one in page.all("th")} == {"row", "col"}


def test_equal_input_gives_an_equal_page(make_report_data: Callable[..., ReportData]) -> None:
    assert to_html(make_report_data(sizes=SMALL)) == to_html(make_report_data(sizes=SMALL))


def test_without_warnings_it_says_so(data: ReportData) -> None:
    calm = ReportData(data.results, replace(data.summary, warnings=()), data.paper, data.notes)
    assert "<p>None: nothing that the harness looks for" in to_html(calm)


def test_an_emulated_processor_has_no_latency_anywhere(
    make_report_data: Callable[..., ReportData],
) -> None:
    html = to_html(make_report_data(latency=False))
    page = Page(html)
    assert "(ms)" not in html
    assert page.tags.count("figure") == 0
    assert "<strong>Emulated.</strong>" in html
    captions = re.findall(r"<caption[^>]*>([^<]*)</caption>", html)
    assert captions
    assert all("emulated" in caption for caption in captions)
    badges = re.findall(r'class="badge (\w+)"', html)
    assert set(badges) == {"inconclusive"}


def test_missing_sensors_are_said_to_be_missing(
    make_report_data: Callable[..., ReportData],
) -> None:
    html = to_html(make_report_data(sensors=False, sizes=SMALL))
    assert "The machine tells no temperature and no frequency." in html


def test_a_measurement_that_was_cut_off_says_so(
    make_report_data: Callable[..., ReportData],
) -> None:
    whole = make_report_data(latency=False, sizes=SMALL)
    cut_off = ReportData(replace(whole.results, ended="no"), whole.summary, whole.paper)
    assert "was cut off" in to_html(cut_off)
    assert "was cut off" not in to_html(whole)


def test_results_without_any_model_make_a_page(make_report_data: Callable[..., ReportData]) -> None:
    some = make_report_data(latency=False, sizes=SMALL)
    empty = replace(some.summary, models=(), pairs=(), verdicts=(), front=(), warnings=())
    nothing = replace(some.results, models=(), blocks=(), runs=())
    html = to_html(ReportData(nothing, empty, some.paper))
    assert "No claim of the paper could be judged" in html


def test_a_model_that_was_skipped_is_named_with_the_reason(
    make_report_data: Callable[..., ReportData],
) -> None:
    some = make_report_data(latency=False, sizes=SMALL)
    first, *others = some.results.models
    models = (replace(first, skipped="it needs 9 MB where 3 MB are available"), *others)
    html = to_html(ReportData(replace(some.results, models=models), some.summary, some.paper))
    assert f"{first.name} was not measured: it needs 9 MB" in html


@settings(max_examples=25)
@given(name=st.text(min_size=1, max_size=40))
def test_no_name_breaks_the_page(make_report_data: Callable[..., ReportData], name: str) -> None:
    plain = make_report_data(latency=False, sizes=SMALL, foreign=("plain.onnx",))
    odd = with_name(plain, name)
    assert Page(to_html(odd)).tags == Page(to_html(plain)).tags


def test_markup_in_names_is_shown_and_not_obeyed(
    make_report_data: Callable[..., ReportData],
) -> None:
    name = '<script>alert("1")</script>&amp;\'.onnx'
    html = to_html(with_name(make_report_data(sizes=SMALL, foreign=("plain.onnx",)), name))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def with_name(data: ReportData, name: str) -> ReportData:
    """`data` with `name` for the foreign file, the device and the warnings."""
    summary = replace(
        data.summary,
        models=tuple(
            replace(one, label=name) if one.label == "plain.onnx" else one
            for one in data.summary.models
        ),
        warnings=(Warning(code=name, evidence=name, remedy=name),),
    )
    environment = replace(data.results.environment, board=name)
    results = replace(data.results, environment=environment)
    return ReportData(results, summary, data.paper, (name,))
