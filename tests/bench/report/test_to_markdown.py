from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.to_markdown import escaped, to_markdown


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def text_of(token: Token) -> str:
    """An inline token's text; empty where any of it became markup."""
    children = token.children or []
    return "".join(
        child.content if child.type in ("text", "text_special") else "" for child in children
    )


def test_the_verdicts_come_first_and_the_notes_last(data: ReportData) -> None:
    tokens = parsed(to_markdown(data))
    headings = [
        text_of(after)
        for token, after in pairwise(tokens)
        if token.type == "heading_open" and token.tag == "h2"
    ]
    assert headings[0] == "Verdicts"
    assert headings[1] == "Warnings"
    assert headings[-1] == "Notes"


def test_every_table_is_a_table_with_rows_of_equal_length(data: ReportData) -> None:
    text = to_markdown(data)
    tokens = parsed(text)
    assert [token.type for token in tokens].count("table_open") == text.count("\n| ---")
    for row in text.split("\n\n"):
        if row.startswith("|"):
            columns = {line.count(" | ") for line in row.splitlines()}
            assert len(columns) == 1


def test_an_emulated_processor_has_no_latency_anywhere(
    make_report_data: Callable[..., ReportData],
) -> None:
    text = to_markdown(make_report_data(latency=False))
    assert "(ms)" not in text
    assert "emulated" in text.splitlines()[0]
    assert "✓" not in text


@given(st.text(max_size=60))
def test_any_text_is_one_cell_as_it_is(text: str) -> None:
    tokens = parsed(f"| {escaped(text)} | b |\n| --- | --- |\n| {escaped(text)} | b |\n")
    cells = [text_of(token) for token in tokens if token.type == "inline"]
    shown = " ".join(text.replace("\x00", " ").split())
    assert len(cells) == 4
    assert normal(cells[0]) == normal(cells[2]) == normal(shown)


@given(st.text(max_size=60))
def test_any_text_is_one_item_of_a_list_as_it_is(text: str) -> None:
    tokens = parsed(f"- {escaped(text)}\n- b\n")
    assert [token.type for token in tokens].count("list_item_open") == 2
    items = [text_of(token) for token in tokens if token.type == "inline"]
    assert normal(items[-1]) == "b"
    assert normal("".join(items[:-1])) == normal(text)


def normal(text: str) -> str:
    """`text` without what is no letter: blanks and control characters become one blank."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
