"""What changed between two files of counts, A and B.

Counts repeat to some hundredths of a percent, so a change needs no interval to be believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, fsum, log

import msgspec

from shufflenet_deploy.bench.measure.counts import Counts, Entry
from shufflenet_deploy.runtime.errors import BenchError


class CountChange(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact on one processor."""

    artifact: str
    engine: str
    cpu: str
    same_file: bool
    a: int
    """Instructions of one inference in A."""
    b: int
    ratio: float
    """Instructions of B / A: above 1, B takes more."""


class CountComparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that changed between two files of counts."""

    changes: tuple[CountChange, ...]
    mean: float
    """Geometric mean of the ratios of all changes."""
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    differences: tuple[str, ...]
    """What counted that is not the same version in both: a line each, with that of A and of B."""


def compare_counts(a: Counts, b: Counts) -> CountComparison:
    """Compare what both have counted, by artifact's name, engine and processor.

    Raises `BenchError` where there is nothing of the kind.
    """
    before, after = ({entry.key: entry for entry in counts.entries} for counts in (a, b))
    changes = tuple(_change(before[key], after[key]) for key in before if key in after)
    if not changes:
        raise BenchError("A and B have no artifact in common that both counted on one processor")
    return CountComparison(
        changes=changes,
        mean=exp(fsum(log(change.ratio) for change in changes) / len(changes)),
        only_a=tuple(_title(before[key]) for key in before if key not in after),
        only_b=tuple(_title(after[key]) for key in after if key not in before),
        differences=tuple(_differences(a, b)),
    )


def count_failures(comparison: CountComparison, percent: float) -> tuple[str, ...]:
    """What takes more instructions by more than `percent`, also their mean: a line each."""
    named = [(f"{change.artifact} on {change.cpu}", change.ratio) for change in comparison.changes]
    return tuple(
        f"{name} takes {100 * (ratio - 1):.2f}% more instructions"
        for name, ratio in (*named, ("the geometric mean", comparison.mean))
        if ratio > 1 + percent / 100
    )


def _change(a: Entry, b: Entry) -> CountChange:
    before, after = a.counted.instructions, b.counted.instructions
    return CountChange(
        artifact=a.artifact,
        engine=a.engine,
        cpu=a.cpu,
        same_file=a.sha256 == b.sha256,
        a=before,
        b=after,
        ratio=after / before,
    )


def _title(entry: Entry) -> str:
    return f"{entry.artifact} on {entry.cpu}"


def _differences(a: Counts, b: Counts) -> Iterator[str]:
    if a.qemu != b.qemu:
        yield f"QEMU {a.qemu} and {b.qemu}"
    engines_a, engines_b = (
        sorted({f"{entry.engine} {entry.engine_version}" for entry in counts.entries})
        for counts in (a, b)
    )
    if engines_a != engines_b:
        yield f"{', '.join(engines_a)} and {', '.join(engines_b)}"
