"""Counts as a table for a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console

from shufflenet_deploy.bench.analysis.wording import MISSING, count, decimal
from shufflenet_deploy.bench.compare.counts import CountComparison
from shufflenet_deploy.bench.counted import described
from shufflenet_deploy.bench.measure.counts import Counts, Entry
from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.presentation.terminal import show_lines, show_table

_NAMES = (Column("artifact", words=True), Column("processor", words=True))
_REFERENCE = "alexnet"


def show(counts: Counts, console: Console) -> None:
    """Print on `console` what was counted."""
    headings = ["millions", "spread %", "per multiply-add", "AlexNet / it"]
    if counts.counts == "cache":
        headings += ["M accesses", "L1 misses", "L2 misses"]
    table = Table(
        "instructions of one inference, emulated: no latency",
        (*_NAMES, *map(Column, headings)),
        tuple((entry.artifact, entry.cpu, *_cells(counts, entry)) for entry in counts.entries),
    )
    show_table(table, console)
    show_lines(_notes(counts), console)


def show_comparison(comparison: CountComparison, console: Console) -> None:
    """Print on `console` what changed between two files of counts."""
    rows = [
        (
            change.artifact,
            change.cpu,
            _millions(change.a),
            _millions(change.b),
            decimal(change.ratio, 4),
        )
        for change in comparison.changes
    ]
    rows.append(("geometric mean", "", "", "", decimal(comparison.mean, 4)))
    table = Table(
        "instructions of one inference, emulated, B / A",
        (*_NAMES, Column("A millions"), Column("B millions"), Column("B / A")),
        tuple(rows),
        total=True,
    )
    show_table(table, console)
    show_lines(_changed(comparison), console)


def _changed(comparison: CountComparison) -> Iterator[str]:
    for name, only in (("A", comparison.only_a), ("B", comparison.only_b)):
        if only:
            yield f"only in {name}: {', '.join(only)}"
    for line in comparison.differences:
        yield f"A and B differ in: {line}"
    rebuilt = [change.artifact for change in comparison.changes if not change.same_file]
    if rebuilt:
        yield f"another file in B than in A: {', '.join(dict.fromkeys(rebuilt))}"


def _cells(counts: Counts, entry: Entry) -> Iterator[str]:
    counted = entry.counted
    yield _millions(counted.instructions)
    yield decimal(counted.spread, 3, 100)
    yield decimal(
        counted.instructions / entry.multiply_adds if entry.multiply_adds else None,
        3,
    )
    yield decimal(alexnet_ratio(counts, entry), 2)
    if counts.counts == "cache":
        cache = counted.cache
        yield _millions(cache.accesses if cache else None)
        yield str(cache.l1_misses) if cache else MISSING
        yield str(cache.l2_misses) if cache else MISSING


def _millions(number: int | None) -> str:
    return decimal(number, 2, 1e-6)


def alexnet_ratio(counts: Counts, entry: Entry) -> float | None:
    """Instructions of AlexNet / `entry`, all else being equal; None without AlexNet's."""
    if entry.options is None:
        return None
    reference = replace(entry.options, network=_REFERENCE, groups=None, scale=None)
    place = entry.engine, entry.cpu
    for candidate in counts.entries:
        if candidate.options == reference and (candidate.engine, candidate.cpu) == place:
            return candidate.counted.instructions / entry.counted.instructions
    return None


def _notes(counts: Counts) -> Iterator[str]:
    engines = sorted({f"{entry.engine} {entry.engine_version}" for entry in counts.entries})
    yield f"QEMU {counts.qemu}, {', '.join(engines)}, {count(1, 'thread')}"
    yield "spread: largest less smallest of some inferences in one process"
    for cpu, caches in {
        entry.cpu: entry.counted.cache.caches for entry in counts.entries if entry.counted.cache
    }.items():
        yield f"caches of {cpu}: {described(caches)}"
    unchecked = [Path(entry.artifact).name for entry in counts.entries if entry.difference is None]
    if unchecked:
        yield f"without a manifest, so what it computes is not checked: {', '.join(unchecked)}"
