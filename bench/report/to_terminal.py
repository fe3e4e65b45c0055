"""Results on a terminal: the tables that fit its width, and below them what to know of them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from shufflenet_deploy.bench.analysis.pareto import most_accurate
from shufflenet_deploy.bench.analysis.summary import Summary
from shufflenet_deploy.bench.analysis.wording import (
    briefly_where,
    count,
    latency,
    names_of_all,
    number,
)
from shufflenet_deploy.bench.presentation.tables import Table
from shufflenet_deploy.bench.presentation.terminal import show_lines, show_table
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.document import Document, document


def show(data: ReportData, console: Console) -> None:
    """Print on `console` what `data` says."""
    parts = document(data)
    show_lines((parts.measured_on, ""), console)
    for table in _tables(parts):
        show_table(table, console, tight=True)
    for claim in parts.claims:
        show_lines(claim.unsettled, console)
    if parts.overview:
        show_lines((*parts.overview.answers, ""), console)
    show_lines(
        (f"warning: {warning.evidence}: {warning.remedy}" for warning in parts.warnings), console
    )
    show_lines(parts.not_measured, console)
    show_lines(
        (f"{column.name}: {column.meaning}" for column in parts.explained if not column.wide_only),
        console,
    )
    show_lines(parts.notes, console)


def show_budget(summary: Summary, budget_ms: float, console: Console) -> None:
    """Print the most accurate network that takes at most `budget_ms`, for each setting."""
    best = most_accurate(summary, budget_ms)
    if not best:
        nothing = (
            "nothing that was measured has a published error; see --suite variants, or have yours "
            "evaluated by --data"
        )
        show_lines([f"--budget-ms: {nothing}"], console)
    names = names_of_all(summary.models)
    for key, point in best.items():
        place = f"with {count(key, 'thread')}" if isinstance(key, int) else briefly_where(key)
        within = f"within {budget_ms:g} ms {'' if isinstance(key, int) else 'on '}{place}"
        if point is None:
            line = f"{within}: none"
        else:
            model = summary.models[point.model]
            line = (
                f"{within}: {names[point.model] if point.measured else model.label}, "
                f"{latency(model)} ms, "
                f"top-1 error {number(point.top1_error_percent)} % ({point.source})"
            )
        console.print(line, style="bold", markup=False)


def _tables(parts: Document) -> Iterator[Table]:
    """Of each setting its models and their ratios; then what compares settings; then verdicts."""
    for setting in parts.settings:
        yield setting.models
        if setting.native:
            yield setting.native
        if setting.pairs:
            yield setting.pairs
    if parts.mixed_pairs:
        yield parts.mixed_pairs
    if parts.overview and len(parts.settings) > 1:  # else they stand side by side already
        yield parts.overview.models
    for claim in parts.claims:
        yield claim.table
