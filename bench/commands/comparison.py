"""``shufflenet-bench compare``: what changed between two measurements."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from shufflenet_deploy.runtime.command_line import Version
from shufflenet_deploy.runtime.errors import BenchError


def compare(
    before: Annotated[Path, typer.Argument(metavar="A.json", help="Results to compare with.")],
    after: Annotated[Path, typer.Argument(metavar="B.json", help="Results to compare.")],
    fail_above: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            show_default=False,
            help="Exit with 1 where B is slower by more than that, beyond noise; of counts, where "
            "it takes more instructions by that.",
        ),
    ] = None,
    relative: Annotated[
        bool,
        typer.Option(
            "--relative",
            help="Gate on times relative to the other models of the same file: a machine that has "
            "become slower as a whole does not count.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    version: Version = False,
) -> None:
    """Say which models changed between A and B, by how much, and beyond what noise.

    A and B are results, or both counts of shufflenet-bench counts.
    """
    from shufflenet_deploy.bench.compare.comparison import parse_percent

    percent = None if fail_above is None else parse_percent(fail_above)
    counted = _are_counts(before, after)
    if counted and relative:
        raise BenchError(
            "--relative is for times: counts do not change with the machine", usage=True
        )
    judge = _counts if counted else partial(_times, relative=relative)
    failed = judge(before, after, percent, as_json)
    if failed:
        raise BenchError(f"--fail-above {fail_above}: {'; '.join(failed)}")


def _are_counts(before: Path, after: Path) -> bool:
    """Whether both hold counts. Raises `BenchError` where only one of them does."""
    from shufflenet_deploy.bench.documents import COUNTS, RESULTS, kind_at
    from shufflenet_deploy.bench.measure.counts import read

    kinds = {path: kind_at(path) for path in (before, after)}
    if COUNTS not in kinds.values():
        return False
    for path, kind in kinds.items():
        if kind == RESULTS:
            raise BenchError(
                f"{path} holds {kind.what} and the other file {COUNTS.what}: compare two of one "
                "kind",
                usage=True,
            )
        if kind != COUNTS:
            read(path)  # which says what is wrong with it
    return True


def _times(
    before: Path, after: Path, percent: float | None, as_json: bool, relative: bool
) -> Sequence[str]:
    """Show what changed between two measurements; what became slower by more than `percent`."""
    from shufflenet_deploy.bench.compare.comparison import compare, failures
    from shufflenet_deploy.bench.compare.table import show
    from shufflenet_deploy.bench.presentation.terminal import stdout_console
    from shufflenet_deploy.bench.results import read

    comparison = compare(read(before), read(after))
    if as_json:
        _write(comparison)
    else:
        show(comparison, stdout_console())
    return () if percent is None else failures(comparison, percent, relative)


def _counts(before: Path, after: Path, percent: float | None, as_json: bool) -> Sequence[str]:
    """The same of two files of counts."""
    from shufflenet_deploy.bench.compare.counts import compare_counts, count_failures
    from shufflenet_deploy.bench.compare.counts_table import show_comparison
    from shufflenet_deploy.bench.measure.counts import read
    from shufflenet_deploy.bench.presentation.terminal import stdout_console

    comparison = compare_counts(read(before), read(after))
    if as_json:
        _write(comparison)
    else:
        show_comparison(comparison, stdout_console())
    return () if percent is None else count_failures(comparison, percent)


def _write(comparison: object) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(comparison) + b"\n")
