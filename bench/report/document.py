"""All that is said of a measurement, in words ready to print: each renderer draws this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shufflenet_deploy.bench.analysis.summary import Outcome, Warning
from shufflenet_deploy.bench.presentation.tables import Table
from shufflenet_deploy.bench.report.columns import Explained, explained
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.machine import fact_tables, measured_on, protocol
from shufflenet_deploy.bench.report.overview import Overview, overview
from shufflenet_deploy.bench.report.tables import (
    SettingTables,
    front_table,
    mixed_pairs_table,
    settings_tables,
)
from shufflenet_deploy.bench.report.verdicts import ClaimVerdicts, claims_verdicts, tally


@dataclass(frozen=True)
class Document:
    """The parts, in the order of a page; a terminal has the verdicts last, where they are seen."""

    title: str
    date: str
    """When the measurement began."""
    measured_on: str
    unfinished: str | None
    """Why not all was measured that should have been; None where all was."""
    tally: tuple[tuple[Outcome, int], ...]
    """Each outcome that occurs, and how many verdicts have it."""
    overview: Overview | None
    """The user's own models side by side; None of a suite."""
    claims: tuple[ClaimVerdicts, ...]
    warnings: tuple[Warning, ...]
    settings: tuple[SettingTables, ...]
    mixed_pairs: Table | None
    """Ratios of models of two settings; None without any."""
    front: Table
    """The variants with a published error and a latency; without rows where there is none."""
    not_measured: tuple[str, ...]
    explained: tuple[Explained, ...]
    """What has to be known to read the tables."""
    facts: tuple[Table, ...]
    protocol: tuple[str, ...]
    """How the models were measured, a paragraph each."""
    notes: tuple[str, ...]

    @property
    def pairs(self) -> tuple[Table, ...]:
        """All tables of ratios."""
        tables = [*(setting.pairs for setting in self.settings), self.mixed_pairs]
        return tuple(table for table in tables if table)

    @property
    def models(self) -> Iterator[Table]:
        """All tables of models, each followed by that of another harness, where one was asked."""
        for setting in self.settings:
            yield setting.models
            if setting.native:
                yield setting.native


def document(data: ReportData) -> Document:
    """Put all that `data` says into words."""
    return Document(
        title=data.title,
        date=data.date,
        measured_on=measured_on(data),
        unfinished=data.unfinished,
        tally=tuple(tally(data)),
        overview=overview(data),
        claims=tuple(claims_verdicts(data)),
        warnings=data.summary.warnings,
        settings=tuple(settings_tables(data)),
        mixed_pairs=mixed_pairs_table(data),
        front=front_table(data),
        not_measured=tuple(
            f"{model.name} was not measured: {model.skipped}"
            for model in data.results.models
            if model.skipped
        ),
        explained=tuple(explained(data)),
        facts=tuple(fact_tables(data)),
        protocol=tuple(protocol(data)),
        notes=tuple(data.notes),
    )
