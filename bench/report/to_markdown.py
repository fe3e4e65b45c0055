"""The report as Markdown, in the dialect of GitHub, whose tables it needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shufflenet_deploy.bench.report.machine import fact_tables, protocol
from shufflenet_deploy.bench.report.material import Material
from shufflenet_deploy.bench.report.tables import (
    COLUMNS_EXPLAINED,
    Table,
    front_table,
    models_tables,
    pairs_table,
    skipped,
)
from shufflenet_deploy.bench.report.verdicts import (
    MEANINGS,
    SYMBOLS,
    ClaimVerdicts,
    claims_verdicts,
    tally,
)
from shufflenet_deploy.bench.report.wording import sentence

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$])")
_AT_THE_START = re.compile(r"^(\d*)(#|=|[+-](?!\d)|[.)](?=\s|$))")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def to_markdown(material: Material) -> str:
    """The whole text."""
    return "\n".join(_lines(material))


def escaped(text: str) -> str:
    """`text` in one line, and nothing in it is markup."""
    line = _SPECIAL.sub(r"\\\1", _BLANK.sub(" ", text).strip())
    return _AT_THE_START.sub(r"\1\\\2", line)


def _lines(material: Material) -> Iterator[str]:
    yield from (f"# {escaped(material.title)}", "", f"Measured {material.date}.", "")
    if material.unfinished:
        yield from (f"**{material.unfinished}**", "")
    yield from ("## Verdicts", "")
    yield from _verdicts(material)
    yield from ("## Warnings", "")
    yield from _warnings(material)
    yield from ("## Models", "")
    for table in models_tables(material):
        yield from _table(table)
    yield from _items(skipped(material))
    yield from _items([f"{name}: {meaning}" for name, meaning in COLUMNS_EXPLAINED])
    if (front := front_table(material)).rows:
        yield from ("## Accuracy against time", "")
        yield from _table(front)
    if material.summary.pairs:
        yield from ("## Pairs", "")
        yield from _table(pairs_table(material))
    yield from ("## What was measured on", "")
    for table in fact_tables(material):
        yield from _table(table)
    yield from ("## How it was measured", "")
    for paragraph in protocol(material):
        yield from (paragraph, "")
    if material.notes:
        yield from ("## Notes", "")
        yield from _items(material.notes)


def _verdicts(material: Material) -> Iterator[str]:
    claims = list(claims_verdicts(material))
    if not claims:
        yield from (
            "No claim of the paper could be judged: the models that it needs are not here.",
            "",
        )
        return
    counts = ", ".join(
        f"{SYMBOLS[outcome]} {count} {outcome}" for outcome, count in tally(material)
    )
    yield from (f"{counts}.", "")
    for claim in claims:
        yield from _claim(claim, material)
    meanings = "; ".join(f"{outcome}: {meaning}" for outcome, meaning in MEANINGS.items())
    yield from (f"{meanings.capitalize()}.", "")


def _claim(claim: ClaimVerdicts, material: Material) -> Iterator[str]:
    yield from (f"### {escaped(sentence(claim.title))}", "")
    yield from (f"> {escaped(sentence(claim.statement))}. ({escaped(claim.place)})", "")
    yield from _table(claim.table(material), caption=False)
    if claim.reason:
        yield from (f"Inconclusive: {escaped(claim.reason)}", "")
    yield from _items(
        [f"{row.size}, {row.how}, {row.outcome}: {row.reason}" for row in claim.rows if row.reason]
    )


def _warnings(material: Material) -> Iterator[str]:
    if not material.summary.warnings:
        yield from ("None.", "")
    for warning in material.summary.warnings:
        yield f"- **{escaped(warning.code)}**: {escaped(warning.evidence)}. "
        yield f"  Remedy: {escaped(warning.remedy)}"
    if material.summary.warnings:
        yield ""


def _table(table: Table, caption: bool = True) -> Iterator[str]:
    if caption:
        yield from (f"### {escaped(table.caption)}", "")
    yield _row(table.headings)
    # The outermost bars keep an empty heading a column.
    yield _row(
        ["---" if place < table.words else "--:" for place in range(len(table.headings))], raw=True
    )
    for row in table.rows:
        yield _row(row)
    yield ""


def _row(cells: Sequence[str], raw: bool = False) -> str:
    return f"| {' | '.join(cell if raw else escaped(cell) for cell in cells)} |"


def _items(items: Sequence[str]) -> Iterator[str]:
    for item in items:
        yield f"- {escaped(item)}"
    if items:
        yield ""
