"""``shufflenet-bench compare``: what changed between two measurements."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from shufflenet_deploy.bench import BenchError


def compare(
    before: Annotated[Path, typer.Argument(metavar="A.json", help="Results to compare with.")],
    after: Annotated[Path, typer.Argument(metavar="B.json", help="Results to compare.")],
    fail_above: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            show_default=False,
            help="Exit with 1 where B is slower by more than that, beyond noise.",
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
) -> None:
    """Say which models changed between A and B, by how much, and beyond what noise."""
    import msgspec

    from shufflenet_deploy.bench import compare as comparing
    from shufflenet_deploy.bench.compare_table import show
    from shufflenet_deploy.bench.results import read
    from shufflenet_deploy.bench.table import stdout_console

    percent = None if fail_above is None else comparing.parse_percent(fail_above)
    comparison = comparing.compare(read(before), read(after))
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(comparison) + b"\n")
    else:
        show(comparison, stdout_console())
    if percent is not None:
        failed = comparing.failures(comparison, percent, relative)
        if failed:
            raise BenchError(f"--fail-above {fail_above}: {'; '.join(failed)}")
