"""The report as Markdown, in the dialect of GitHub, whose tables it needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shufflenet_deploy.bench.analysis.wording import MISSING, sentence
from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.document import Document, document
from shufflenet_deploy.bench.report.verdicts import MEANINGS, SYMBOLS, ClaimVerdicts

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$])")
_AT_THE_START = re.compile(r"^(\d*)(#|=|[+-](?!\d)|[.)](?=\s|$))")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def to_markdown(data: ReportData) -> str:
    """The whole text."""
    return "\n".join(_lines(document(data)))


def escaped(text: str) -> str:
    """`text` in one line, and nothing in it is markup."""
    line = _SPECIAL.sub(r"\\\1", _BLANK.sub(" ", text).strip())
    return _AT_THE_START.sub(r"\1\\\2", line)


def _lines(parts: Document) -> Iterator[str]:
    yield from (f"# {escaped(parts.title)}", "", f"Measured {parts.date}.", "")
    if parts.unfinished:
        yield from (f"**{parts.unfinished}**", "")
    if parts.overview:
        yield from ("## Side by side", "")
        yield from _items(parts.overview.answers)
        for table in (parts.overview.models, *parts.overview.matrices):
            yield from _table(table)
    if parts.claims or not parts.overview:
        yield from ("## Verdicts", "")
        yield from _verdicts(parts)
    yield from ("## Warnings", "")
    yield from _warnings(parts)
    yield from ("## Models", "")
    for table in parts.models:
        yield from _table(table)
    yield from _items(parts.not_measured)
    yield from _items([f"{column.name}: {column.meaning}" for column in parts.explained])
    if parts.front.rows:
        yield from ("## Accuracy against time", "")
        yield from _table(parts.front)
    if parts.pairs:
        yield from ("## Pairs", "")
        for table in parts.pairs:
            yield from _table(table)
    yield from ("## What was measured on", "")
    for table in parts.facts:
        yield from _table(table)
    yield from ("## How it was measured", "")
    for paragraph in parts.protocol:
        yield from (paragraph, "")
    if parts.notes:
        yield from ("## Notes", "")
        yield from _items(parts.notes)


def _verdicts(parts: Document) -> Iterator[str]:
    if not parts.claims:
        yield from (
            "No claim of the paper could be judged: the models that it needs are not here.",
            "",
        )
        return
    counts = ", ".join(f"{SYMBOLS[outcome]} {count} {outcome}" for outcome, count in parts.tally)
    yield from (f"{counts}.", "")
    for claim in parts.claims:
        yield from _claim(claim)
    meanings = "; ".join(f"{outcome}: {meaning}" for outcome, meaning in MEANINGS.items())
    yield from (f"{meanings.capitalize()}.", "")


def _claim(claim: ClaimVerdicts) -> Iterator[str]:
    yield from (f"### {escaped(sentence(claim.title))}", "")
    yield from (f"> {escaped(sentence(claim.statement))}. ({escaped(claim.place)})", "")
    yield from _table(claim.table, caption=False)
    if claim.reason:
        yield from (f"Inconclusive: {escaped(claim.reason)}", "")
    yield from _items(
        [
            f"{' '.join(row.setting)}, {row.outcome}: {row.reason}"
            for row in claim.rows
            if row.reason
        ]
    )


def _warnings(parts: Document) -> Iterator[str]:
    if not parts.warnings:
        yield from ("None.", "")
    for warning in parts.warnings:
        yield f"- **{escaped(warning.code)}**: {escaped(warning.evidence)}. "
        yield f"  Remedy: {escaped(warning.remedy)}"
    if parts.warnings:
        yield ""


def _table(table: Table, caption: bool = True) -> Iterator[str]:
    if caption:
        yield from (f"### {escaped(table.caption)}", "")
    yield _row([escaped(column.heading) for column in table.columns])
    # The outermost bars keep an empty heading a column.
    yield _row(["---" if column.words else "--:" for column in table.columns])
    for row in table.rows:
        yield _row([_cell(column, text) for column, text in zip(table.columns, row, strict=True)])
    yield ""


def _cell(column: Column, text: str) -> str:
    """An outcome has its symbol too, which is seen before it is read."""
    symbol = next(
        (SYMBOLS[outcome] for outcome in SYMBOLS if column.outcome and outcome == text), None
    )
    if text == MISSING:
        return text  # in a cell it begins no list
    return escaped(f"{symbol} {text}" if symbol else text)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _items(items: Sequence[str]) -> Iterator[str]:
    for item in items:
        yield f"- {escaped(item)}"
    if items:
        yield ""
