"""``shufflenet-bench show``: what a file holds, as it was printed when it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shufflenet_deploy.runtime.command_line import Version
from shufflenet_deploy.runtime.errors import BenchError


def show(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="What --out of shufflenet-bench wrote, with whatever options, or that of "
            "shufflenet-bench counts.",
        ),
    ] = Path("results.json"),
    version: Version = False,
) -> None:
    """Print the tables of what was measured earlier."""
    from shufflenet_deploy.bench.compare.counts_table import show as show_counts
    from shufflenet_deploy.bench.documents import (
        COUNTS,
        END_TO_END,
        PROFILE,
        RESULTS,
        SUSTAINED,
        kind_at,
    )
    from shufflenet_deploy.bench.measure import counts
    from shufflenet_deploy.bench.measure.alone import end_to_end, profiling, sustained
    from shufflenet_deploy.bench.presentation.terminal import stdout_console
    from shufflenet_deploy.bench.report.kinds.end_to_end import show as show_end_to_end
    from shufflenet_deploy.bench.report.kinds.profile import show as show_profile
    from shufflenet_deploy.bench.report.kinds.sustained import show as show_sustained

    kind = kind_at(source)
    if kind == PROFILE:
        for profile in profiling.read(source):
            show_profile(profile, stdout_console())
    elif kind == SUSTAINED:
        show_sustained(sustained.read(source), stdout_console())
    elif kind == END_TO_END:
        show_end_to_end(end_to_end.read(source), stdout_console())
    elif kind == COUNTS:
        show_counts(counts.read(source), stdout_console())
    elif kind in (RESULTS, None):  # what is none of ours, its reader refuses
        _show_results(source)
    else:
        raise BenchError(f"{source} holds {kind.what}: {kind.remedy}", usage=True)


def _show_results(source: Path) -> None:
    from shufflenet_deploy.bench.analysis.summarise import summarise
    from shufflenet_deploy.bench.analysis.warnings import notes
    from shufflenet_deploy.bench.paper.claims import load_paper
    from shufflenet_deploy.bench.presentation.terminal import stdout_console
    from shufflenet_deploy.bench.report.data import ReportData
    from shufflenet_deploy.bench.report.to_terminal import show
    from shufflenet_deploy.bench.results import read

    results, paper = read(source), load_paper()
    material = ReportData(results, summarise(results, paper), paper, notes(results))
    show(material, stdout_console())
