"""A comparison as tables for a person."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shufflenet_deploy.bench.compare import Comparison, Ratio
from shufflenet_deploy.bench.differences import MISSING

_COLOURS = {"faster": "green", "slower": "red", "unknown": "yellow"}


def show(comparison: Comparison, console: Console) -> None:
    """Print on `console` what changed, and what has to be known to believe it."""
    _show_table("latency, B by A", _absolute(comparison), console)
    if any(one.relative for one in comparison.changes):
        _show_table(
            "relative to the models measured with it, B by A", _relative(comparison), console
        )
    if comparison.differences:
        _show_table("A and B differ in", _differences(comparison), console)
    for line in _notes(comparison):
        console.print(line, markup=False)


def _show_table(title: str, table: Table, console: Console) -> None:
    console.print(f"{title}\n", style="bold", markup=False)
    console.print(table, "")


def _absolute(comparison: Comparison) -> Table:
    table = _table("model", "A ms", "B ms", "B / A", "95% interval", "verdict")
    for one in comparison.changes:
        times = (f"{one.a_ms:.2f}", f"{one.b_ms:.2f}")
        table.add_row(escape(one.model), *times, *_cells(one.absolute))
    table.add_row("geometric mean", "", "", *_cells(comparison.mean), style="bold")
    return table


def _relative(comparison: Comparison) -> Table:
    table = _table("model", "B / A", "95% interval", "verdict")
    for one in comparison.changes:
        missing = (MISSING, MISSING, MISSING)
        table.add_row(escape(one.model), *(_cells(one.relative) if one.relative else missing))
    return table


def _differences(comparison: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for heading in ("", "A", "B"):
        table.add_column(heading, overflow="fold")
    for one in comparison.differences:
        table.add_row(*map(escape, (one.what, one.a, one.b)))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        text = heading in ("model", "verdict")
        table.add_column(
            heading,
            justify="left" if text else "right",
            no_wrap=not text,
            overflow="fold" if text else "ellipsis",
        )
    return table


def _cells(ratio: Ratio) -> tuple[str, str, str]:
    interval = MISSING
    if ratio.low is not None and ratio.high is not None:
        interval = f"{ratio.low:.3f} to {ratio.high:.3f}"
    colour = _COLOURS.get(ratio.outcome)
    outcome = f"[{colour}]{ratio.outcome}[/]" if colour else ratio.outcome
    return f"{ratio.value:.3f}", interval, outcome


def _notes(comparison: Comparison) -> Iterator[str]:
    """What the tables do not say."""
    for name, only in (("A", comparison.only_a), ("B", comparison.only_b)):
        if only:
            yield f"only in {name}: {', '.join(only)}"
    rebuilt = [one.model for one in comparison.changes if not one.same_file]
    if rebuilt:
        yield f"another file in B than in A: {', '.join(rebuilt)}"
    canary = comparison.canary
    if canary is None:
        yield "without a canary in both, nothing tells whether the machine itself became slower"
    else:
        yield f"canary, a fixed computation: B / A {canary:.3f}"
        if comparison.drifted:
            machine = "slower" if canary > 1 else "faster"
            yield (
                f"warning: the machine itself was {machine} in B: latencies changed with it; "
                "believe the relative ratios, and gate with --relative"
            )
    if any(one.absolute.outcome == "unknown" for one in comparison.changes):
        yield "unknown: measured in one process, which does not tell what is noise"
    yield "beyond noise: the 95% interval, Welch's t over processes, lies on one side of 1"
    if any(one.relative for one in comparison.changes):
        yield (
            "relative: within the same processes, so that a slower machine cancels, and by the "
            "median change; what slows all models alike is not seen"
        )
