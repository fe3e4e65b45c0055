"""The paper's claims with what was found, ready to be shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shufflenet_deploy.bench.analysis.summary import Outcome, Verdict
from shufflenet_deploy.bench.analysis.wording import (
    band,
    briefly_where,
    decimal,
    interval_of,
    setting_words,
    share,
    size,
    value_of,
)
from shufflenet_deploy.bench.paper.claims import PAPER, Claim
from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.report.data import ReportData

SYMBOLS: dict[Outcome, str] = {
    "supported": "✓",
    "exceeded": "▲",
    "contradicted": "✗",
    "inconclusive": "?",
}
"""A symbol for each outcome, so that it can be told without its colour."""
MEANINGS: dict[Outcome, str] = {
    "supported": "the 95% interval lies inside the band",
    "exceeded": "wholly on the better side of it",
    "contradicted": "wholly on the worse side of it",
    "inconclusive": "it crosses an edge of the band, or there is none",
}
_MARGIN = 0.08
"""Free space at each end of a gauge, as a share of its claim's span."""


@dataclass(frozen=True)
class Gauge:
    """The band and the measured interval on one line; places in percent of its width."""

    band: tuple[float, float]
    interval: tuple[float, float] | None
    value: float | None
    paper: float | None


@dataclass(frozen=True)
class Row:
    """One verdict."""

    outcome: Outcome
    symbol: str
    setting: tuple[str, ...]
    """The setting in words."""
    size: str
    """The word of `setting` that is the input size, by which the rows of a claim differ: a page
    stresses it."""
    measured: str
    interval: str
    band: str
    paper_table: str
    theoretical: str
    share: str
    reason: str | None
    """Why the outcome is inconclusive; None for any other, and where all of the claim's verdicts
    share the reason."""
    gauge: Gauge


@dataclass(frozen=True)
class ClaimVerdicts:
    """One claim in every setting in which it was measured."""

    id: str
    title: str
    statement: str
    place: str
    says: str
    rows: tuple[Row, ...]
    reason: str | None
    """Why all verdicts are inconclusive, where they share one reason; else None."""
    table: Table
    """The claim's rows as plain cells."""
    unsettled: tuple[str, ...]
    """A line for each inconclusive verdict that says what would settle it, and can be read
    alone."""


def claims_verdicts(data: ReportData) -> Iterator[ClaimVerdicts]:
    """The claims that were judged, in the paper's order, each with its verdicts."""
    for claim in data.paper.claims:
        verdicts = [verdict for verdict in data.summary.verdicts if verdict.claim == claim.id]
        if verdicts:
            verdicts.sort(key=lambda verdict: data.order(verdict.setting))
            yield _claim(data, claim, verdicts)


def tally(data: ReportData) -> list[tuple[Outcome, int]]:
    """How many verdicts there are of each outcome that occurs."""
    outcomes = [verdict.outcome for verdict in data.summary.verdicts]
    return [(outcome, outcomes.count(outcome)) for outcome in SYMBOLS if outcome in outcomes]


def _claim(data: ReportData, claim: Claim, verdicts: Sequence[Verdict]) -> ClaimVerdicts:
    reasons = {verdict.reason for verdict in verdicts}
    shared = (
        verdicts[0].reason
        if len(reasons) == 1 and all(verdict.outcome == "inconclusive" for verdict in verdicts)
        else None
    )
    ends = _scale(verdicts)
    rows = tuple(_row(verdict, ends, shared) for verdict in verdicts)
    return ClaimVerdicts(
        id=claim.id,
        title=claim.title,
        statement=claim.statement,
        place=f"{PAPER}, {claim.place}",
        says=claim.says,
        rows=rows,
        reason=shared,
        table=_table(data, claim, rows),
        unsettled=tuple(
            f"{claim.title}, {briefly_where(verdict.setting)}: {verdict.reason}"
            for verdict in verdicts
            if verdict.outcome == "inconclusive"
        ),
    )


def _table(data: ReportData, claim: Claim, rows: Sequence[Row]) -> Table:
    columns = (
        Column("setting", words=True),
        Column("measured"),
        Column("95% interval"),
        Column("band", wide_only=True),
        Column(f"paper's {data.paper.table.place}", f"paper's\n{data.paper.table.place}"),
        Column("in theory", "in\ntheory"),
        Column("share of theory", wide_only=True),
        Column("verdict", outcome=True),
    )
    cells = tuple(
        (
            " ".join(row.setting),
            row.measured,
            row.interval,
            row.band,
            row.paper_table,
            row.theoretical,
            row.share,
            row.outcome,
        )
        for row in rows
    )
    holds = f"{claim.title}: the paper says {claim.says}, which holds for "
    brief = holds + band(claim.low, claim.high)
    return Table(data.marked(claim.title), columns, cells, brief)


def _row(verdict: Verdict, ends: tuple[float, float], shared: str | None) -> Row:
    tells_why = verdict.outcome == "inconclusive" and verdict.reason != shared
    return Row(
        outcome=verdict.outcome,
        symbol=SYMBOLS[verdict.outcome],
        setting=setting_words(verdict.setting),
        size=size(verdict.setting),
        measured=value_of(verdict.measured),
        interval=interval_of(verdict.measured),
        band=band(verdict.low, verdict.high),
        paper_table=decimal(verdict.paper_table, 2),
        theoretical=decimal(verdict.theoretical, 2),
        share=share(verdict.share),
        reason=verdict.reason if tells_why else None,
        gauge=_gauge(verdict, ends),
    )


def _scale(verdicts: Sequence[Verdict]) -> tuple[float, float]:
    """Both ends of the gauges of one claim: equal lengths are equal factors."""
    shown = [
        value
        for verdict in verdicts
        for value in (
            verdict.low,
            verdict.high,
            verdict.paper_table,
            *(
                (verdict.measured.value, verdict.measured.low, verdict.measured.high)
                if verdict.measured
                else ()
            ),
        )
        if value is not None and value > 0
    ]
    low, high = math.log(min(shown)), math.log(max(shown))
    margin = _MARGIN * (high - low) or 0.1
    return low - margin, high + margin


def _gauge(verdict: Verdict, ends: tuple[float, float]) -> Gauge:
    low, high = ends

    def place(value: float) -> float:
        if value <= 0:  # an open lower end
            return 0.0
        return round(100 * (math.log(value) - low) / (high - low), 2)

    measured = verdict.measured
    interval = (
        (place(measured.low), place(measured.high))
        if measured and measured.low is not None and measured.high is not None
        else None
    )
    return Gauge(
        band=(place(verdict.low), 100.0 if verdict.high is None else place(verdict.high)),
        interval=interval,
        value=place(measured.value) if measured else None,
        paper=None if verdict.paper_table is None else place(verdict.paper_table),
    )
