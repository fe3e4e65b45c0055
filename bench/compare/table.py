"""A comparison as tables for a person."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from shufflenet_deploy.bench.analysis.wording import (
    MISSING,
    decimal,
    interval_of,
    milliseconds,
    value_of,
)
from shufflenet_deploy.bench.compare.comparison import Comparison, Ratio
from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.presentation.terminal import show_lines, show_table

_MODEL = Column("model", words=True)
_RATIO = (Column("B / A"), Column("95% interval"), Column("verdict", words=True, outcome=True))
_Cells = tuple[str, ...]


def show(comparison: Comparison, console: Console) -> None:
    """Print on `console` what changed, and what has to be known to believe it."""
    show_table(_absolute(comparison), console)
    if any(change.relative for change in comparison.changes):
        show_table(_relative(comparison), console)
    if comparison.differences:
        show_table(_differences(comparison), console)
    show_lines(_notes(comparison), console)


def _absolute(comparison: Comparison) -> Table:
    rows = [
        (
            change.model,
            milliseconds(change.a_ms),
            milliseconds(change.b_ms),
            *_cells(change.absolute),
        )
        for change in comparison.changes
    ]
    rows.append(("geometric mean", "", "", *_cells(comparison.mean)))
    columns = (_MODEL, Column("A ms"), Column("B ms"), *_RATIO)
    return Table("latency, B / A", columns, tuple(rows), total=True)


def _relative(comparison: Comparison) -> Table:
    rows = tuple((change.model, *_cells(change.relative)) for change in comparison.changes)
    return Table("relative to the models measured with it, B / A", (_MODEL, *_RATIO), rows)


def _differences(comparison: Comparison) -> Table:
    columns = tuple(Column(heading, words=True) for heading in ("", "A", "B"))
    rows = tuple(
        (difference.what, difference.a, difference.b) for difference in comparison.differences
    )
    return Table("A and B differ in", columns, rows)


def _cells(ratio: Ratio | None) -> _Cells:
    if ratio is None:
        return (MISSING,) * len(_RATIO)
    return value_of(ratio, 3), interval_of(ratio, 3), ratio.outcome


def _notes(comparison: Comparison) -> Iterator[str]:
    """What the tables do not say."""
    for name, only in (("A", comparison.only_a), ("B", comparison.only_b)):
        if only:
            yield f"only in {name}: {', '.join(only)}"
    rebuilt = [change.model for change in comparison.changes if not change.same_file]
    if rebuilt:
        yield f"another file in B than in A: {', '.join(rebuilt)}"
    canary = comparison.canary
    if canary is None:
        yield "without a canary in both, nothing tells whether the machine itself became slower"
    else:
        yield f"canary, a fixed computation: B / A {decimal(canary, 3)}"
        if comparison.drifted:
            machine = "slower" if canary > 1 else "faster"
            yield (
                f"warning: the machine itself was {machine} in B: latencies changed with it; "
                "believe the relative ratios, and gate with --relative"
            )
    if any(change.absolute.outcome == "unknown" for change in comparison.changes):
        yield "unknown: measured in one process, which does not tell what is noise"
    yield "beyond noise: the 95% interval, Welch's t over processes, lies on one side of 1"
    if any(change.relative for change in comparison.changes):
        yield (
            "relative: within the same processes, so that a slower machine cancels, and divided "
            "by the median change; what slows all models alike is not seen"
        )
