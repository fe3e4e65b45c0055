"""The report's tables as plain data, which each kind of report draws in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from shufflenet_deploy.bench.report.material import Material
from shufflenet_deploy.bench.report.wording import (
    MISSING,
    how,
    interval_of,
    number,
    share,
    size,
    value_of,
)
from shufflenet_deploy.bench.summary import ModelSummary


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first of each row is its name."""

    caption: str
    headings: tuple[str, ...]
    """With the units."""
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    """How many columns, from the first, hold words and not numbers."""


_Cell = Callable[[ModelSummary], str]


def _mega(value: float | None) -> str:
    return number(None if value is None else value / 1e6)


def _counted(one: ModelSummary, name: str) -> str:
    return _mega(getattr(one.counted, name, None))


def _cached(one: ModelSummary, name: str) -> str:
    return _mega(getattr(one.counted.cache if one.counted else None, name, None))


_FIGURES: tuple[tuple[str, _Cell], ...] = (
    ("latency (ms)", lambda one: value_of(one.latency_ms)),
    ("95% interval (ms)", lambda one: interval_of(one.latency_ms)),
    ("M instructions, emulated", lambda one: _counted(one, "instructions")),
    ("M data accesses, emulated", lambda one: _cached(one, "accesses")),
    ("M L1 misses, emulated", lambda one: _cached(one, "l1_misses")),
    ("M L2 misses, emulated", lambda one: _cached(one, "l2_misses")),
    ("p90 (ms)", lambda one: number(one.p90_ms)),
    ("p99 (ms)", lambda one: number(one.p99_ms)),
    ("min (ms)", lambda one: number(one.minimum_ms)),
    ("MAD (%)", lambda one: number(one.mad_percent, 2)),
    ("outliers", lambda one: f"{one.outliers} of {one.samples}" if one.samples else MISSING),
    ("cold (ms)", lambda one: number(one.cold_ms)),
    ("load (ms)", lambda one: number(one.load_ms)),
    ("first run (ms)", lambda one: number(one.first_run_ms)),
    ("peak memory (MB)", lambda one: _mega(one.peak_memory_bytes)),
    ("M multiply-adds", lambda one: _mega(one.multiply_adds)),
    (
        "G multiply-adds per s",
        lambda one: number((one.multiply_adds_per_second or 0) / 1e9 or None),
    ),
    ("share of peak", lambda one: share(one.share_of_peak)),
    ("benchmark_model, another harness (ms)", lambda one: number(one.native_ms)),
)

COLUMNS_EXPLAINED = (
    ("latency", "geometric mean over processes of the median of their timed runs"),
    ("p90, p99", "of all timed runs: one in ten, one in a hundred takes longer"),
    ("MAD", "median absolute deviation of all timed runs, by their median"),
    ("outliers", "timed runs far off their process's median; counted, never dropped"),
    ("cold", "median of the runs straight after another model"),
    ("load, first run, peak memory", "in a process with no other model"),
    (
        "benchmark_model",
        "LiteRT's own harness, where it was asked: median of five processes, in no ratio or claim",
    ),
    ("share of peak", "of the rate of a small kernel that was measured on the same device"),
)


def models_tables(material: Material) -> Iterator[Table]:
    """A table for each engine, precision and number of threads, small inputs first.

    What is known of no model has no column.
    """
    summary = material.summary
    figures = [
        (heading, cell)
        for heading, cell in _FIGURES
        if any(cell(model) != MISSING for model in summary.models)
    ]
    for title, groups in groupby(material.groups(), key=lambda group: how(group[0])):
        rows = [
            (name, size(setting), *(cell(summary.models[index]) for _, cell in figures))
            for setting, models in groups
            for index, name in zip(models, material.networks(models), strict=True)
        ]
        headings = ("model", "input", *(heading for heading, _ in figures))
        yield Table(material.marked(title), headings, tuple(rows), words=2)


def skipped(material: Material) -> list[str]:
    """What was not measured, and why."""
    return [
        f"{model.name} was not measured: {model.skipped}"
        for model in material.results.models
        if model.skipped
    ]


def pairs_table(material: Material) -> Table:
    """Ratios of models that took turns in the same processes."""
    models = material.summary.models
    rows = tuple(
        (
            models[pair.numerator].label,
            models[pair.denominator].label,
            pair.block,
            value_of(pair.ratio),
            interval_of(pair.ratio),
            str(pair.ratio.processes),
            str(pair.ratio.rounds),
        )
        for pair in material.summary.pairs
    )
    headings = ("time of", "by that of", "block", "ratio", "95% interval", "processes", "rounds")
    return Table(material.marked("Ratios of paired times"), headings, rows, words=3)


def front_table(material: Material) -> Table:
    """The variants with a published error, the most accurate first."""
    models = material.summary.models
    rows = tuple(
        (
            material.network_label(models[point.model]),
            how(models[point.model].setting),
            point.source,
            "yes" if point.on_front else "no",
            f"{point.top1_error_percent:.1f}",
            value_of(models[point.model].latency_ms),
        )
        for point in sorted(
            (one for one in material.summary.front if models[one.model].latency_ms),
            key=lambda point: (how(models[point.model].setting), point.top1_error_percent),
        )
    )
    headings = ("model", "engine", "error from", "on the front", "top-1 error (%)", "latency (ms)")
    return Table(material.marked("Variants by published error"), headings, rows, words=4)


def facts_table(caption: str, facts: Sequence[tuple[str, str]]) -> Table:
    """Names and what they are."""
    return Table(caption, ("", ""), tuple(facts), words=2)
