"""Counts as a table for a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shufflenet_deploy.bench.compare_counts import CountComparison
from shufflenet_deploy.bench.counted import described
from shufflenet_deploy.bench.counts import Counts, Entry

MISSING = "-"
_REFERENCE = "alexnet"


def show(counts: Counts, console: Console) -> None:
    """Print on `console` what was counted."""
    console.print("instructions of one inference, emulated: no latency\n", style="bold")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("artifact", overflow="fold")
    table.add_column("processor", no_wrap=True)
    headings = ["millions", "spread %", "by multiply-add", "AlexNet's / it"]
    if counts.counts == "cache":
        headings += ["M accesses", "L1 misses", "L2 misses"]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in counts.entries:
        table.add_row(escape(entry.artifact), entry.cpu, *_cells(counts, entry))
    console.print(table, "")
    for note in _notes(counts):
        console.print(note, markup=False)


def show_comparison(comparison: CountComparison, console: Console) -> None:
    """Print on `console` what changed between two files of counts."""
    console.print("instructions of one inference, emulated, B by A\n", style="bold")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("artifact", overflow="fold")
    table.add_column("processor", no_wrap=True)
    for heading in ("A millions", "B millions", "B / A"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in comparison.changes:
        counts = (f"{one.a / 1e6:.2f}", f"{one.b / 1e6:.2f}", f"{one.ratio:.4f}")
        table.add_row(escape(one.artifact), one.cpu, *counts)
    table.add_row("geometric mean", "", "", "", f"{comparison.mean:.4f}", style="bold")
    console.print(table, "")
    for name, only in (("A", comparison.only_a), ("B", comparison.only_b)):
        if only:
            console.print(f"only in {name}: {', '.join(only)}", markup=False)
    for line in comparison.differences:
        console.print(f"A and B differ in: {line}", markup=False)
    rebuilt = [one.artifact for one in comparison.changes if not one.same_file]
    if rebuilt:
        console.print(f"another file in B than in A: {', '.join(dict.fromkeys(rebuilt))}")


def _cells(counts: Counts, entry: Entry) -> Iterator[str]:
    counted = entry.counted
    yield f"{counted.instructions / 1e6:.2f}"
    yield f"{100 * counted.spread:.3f}"
    yield f"{counted.instructions / entry.multiply_adds:.3f}" if entry.multiply_adds else MISSING
    ratio = alexnet_ratio(counts, entry)
    yield f"{ratio:.2f}" if ratio else MISSING
    if counts.counts == "cache":
        cache = counted.cache
        yield f"{cache.accesses / 1e6:.2f}" if cache else MISSING
        yield str(cache.l1_misses) if cache else MISSING
        yield str(cache.l2_misses) if cache else MISSING


def alexnet_ratio(counts: Counts, entry: Entry) -> float | None:
    """AlexNet's instructions by those of `entry`, all else being equal; None without AlexNet's."""
    if entry.options is None:
        return None
    wanted = replace(entry.options, network=_REFERENCE, groups=None, scale=None)
    for one in counts.entries:
        if one.options == wanted and (one.engine, one.cpu) == (entry.engine, entry.cpu):
            return one.counted.instructions / entry.counted.instructions
    return None


def _notes(counts: Counts) -> Iterator[str]:
    engines = sorted({f"{one.engine} {one.engine_version}" for one in counts.entries})
    yield f"QEMU {counts.qemu}, {', '.join(engines)}, 1 thread"
    yield "spread: largest less smallest of some inferences in one process"
    for cpu, caches in {
        one.cpu: one.counted.cache.caches for one in counts.entries if one.counted.cache
    }.items():
        yield f"caches of {cpu}: {described(caches)}"
    unchecked = [Path(one.artifact).name for one in counts.entries if one.difference is None]
    if unchecked:
        yield f"without a manifest, so what it computes is not checked: {', '.join(unchecked)}"
