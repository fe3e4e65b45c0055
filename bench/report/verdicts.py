"""The paper's claims with what was found, ready to be shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shufflenet_deploy.bench.claims import PAPER, Claim
from shufflenet_deploy.bench.report.material import Material
from shufflenet_deploy.bench.report.tables import Table
from shufflenet_deploy.bench.report.wording import (
    MISSING,
    band,
    how,
    interval_of,
    number,
    pixels,
    share,
    size,
    value_of,
)
from shufflenet_deploy.bench.summary import Outcome, Verdict

SYMBOLS: dict[Outcome, str] = {
    "supported": "✓",
    "exceeded": "▲",
    "contradicted": "✗",
    "inconclusive": "?",
}
"""So that an outcome can be told without its colour."""
MEANINGS: dict[Outcome, str] = {
    "supported": "the 95% interval lies inside the band",
    "exceeded": "wholly on the better side of it",
    "contradicted": "wholly on the worse side of it",
    "inconclusive": "it crosses an edge of the band, or there is none",
}
HEADINGS = (
    "verdict",
    "input",
    "engine",
    "measured",
    "95% interval",
    "band",
    "paper's own table",
    "in theory",
    "share of theory",
)
_MARGIN = 0.08
"""Free space at each end of a gauge, by its width."""


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
    size: str
    how: str
    measured: str
    interval: str | None
    band: str
    paper_table: str
    theoretical: str
    share: str
    reason: str | None
    """Of an inconclusive one that its claim's other verdicts do not share."""
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
    """Why all are inconclusive, where it is the same reason."""

    def table(self, material: Material) -> Table:
        """As a plain table."""
        rows = tuple(
            (
                f"{row.symbol} {row.outcome}",
                row.size,
                row.how,
                row.measured,
                row.interval or MISSING,
                row.band,
                row.paper_table,
                row.theoretical,
                row.share,
            )
            for row in self.rows
        )
        return Table(material.marked(self.title), HEADINGS, rows, words=3)


def claims_verdicts(material: Material) -> Iterator[ClaimVerdicts]:
    """The claims that were judged, in the paper's order, each with its verdicts."""
    for claim in material.paper.claims:
        verdicts = [one for one in material.summary.verdicts if one.claim == claim.id]
        if verdicts:
            yield _claim(claim, sorted(verdicts, key=_order))


def tally(material: Material) -> list[tuple[Outcome, int]]:
    """How many verdicts there are of each outcome that occurs."""
    outcomes = [verdict.outcome for verdict in material.summary.verdicts]
    return [(outcome, outcomes.count(outcome)) for outcome in SYMBOLS if outcome in outcomes]


def _order(verdict: Verdict) -> tuple[str, int]:
    return how(verdict.setting), pixels(verdict.setting)


def _claim(claim: Claim, verdicts: Sequence[Verdict]) -> ClaimVerdicts:
    reasons = {one.reason for one in verdicts}
    shared = (
        verdicts[0].reason
        if len(reasons) == 1 and all(one.outcome == "inconclusive" for one in verdicts)
        else None
    )
    ends = _scale(verdicts)
    return ClaimVerdicts(
        id=claim.id,
        title=claim.title,
        statement=claim.statement,
        place=f"{PAPER}, {claim.place}",
        says=claim.says,
        rows=tuple(_row(one, ends, shared) for one in verdicts),
        reason=shared,
    )


def _row(verdict: Verdict, ends: tuple[float, float], shared: str | None) -> Row:
    tells_why = verdict.outcome == "inconclusive" and verdict.reason != shared
    return Row(
        outcome=verdict.outcome,
        symbol=SYMBOLS[verdict.outcome],
        size=size(verdict.setting),
        how=how(verdict.setting),
        measured=value_of(verdict.measured),
        interval=interval_of(verdict.measured) if verdict.measured else None,
        band=band(verdict.low, verdict.high),
        paper_table=number(verdict.paper_table),
        theoretical=number(verdict.theoretical),
        share=share(verdict.share),
        reason=verdict.reason if tells_why else None,
        gauge=_gauge(verdict, ends),
    )


def _scale(verdicts: Sequence[Verdict]) -> tuple[float, float]:
    """Both ends of the gauges of one claim: equal lengths are equal factors."""
    shown = [
        value
        for one in verdicts
        for value in (
            one.low,
            one.high,
            one.paper_table,
            *((one.measured.value, one.measured.low, one.measured.high) if one.measured else ()),
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
