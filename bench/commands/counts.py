"""``shufflenet-bench counts``: instructions on emulated ARM64 processors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shufflenet_deploy.bench.commands.options import (
    ANY_MODEL,
    Engines,
    Folder,
    Formats,
    InputFiles,
    Precisions,
    Ranges,
    Shapes,
    caches,
)
from shufflenet_deploy.runtime.command_line import Version
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.processor import allowed_cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from shufflenet_deploy.bench.measure.counts import CountPlan, Counts

DEFAULT_SUITE = "quick"


def counts(
    named: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[ARTIFACT]...",
            show_default=False,
            help=f"Files of shufflenet-export, or {ANY_MODEL}. Without any, a suite.",
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            show_default=f"{DEFAULT_SUITE}, where no artifacts are named",
            help="As of shufflenet-bench.",
        ),
    ] = None,
    cpus: Annotated[
        list[str] | None,
        typer.Option(
            "--cpu",
            metavar="NAME",
            show_default="cortex-a72",
            help="cortex-a53, cortex-a72, cortex-a76 or neoverse-n1; may be repeated.",
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--counts",
            metavar="instructions|cache",
            help="cache: also data accesses and their misses in both levels, which takes longer.",
        ),
    ] = "instructions",
    formats: Formats = None,
    precisions: Precisions = None,
    engines: Engines = None,
    lowerings: Annotated[
        list[str] | None,
        typer.Option(
            "--lowering",
            metavar="fast|plain",
            show_default="fast",
            help="Of the suite; may be repeated.",
        ),
    ] = None,
    artifacts: Folder = Path("artifacts"),
    shapes: Shapes = None,
    ranges: Ranges = None,
    inputs: InputFiles = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, max=256, show_default="one a core", help="So many at once."),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the counts go, after each artifact.")
    ] = Path("counts.json"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what --out holds already.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    version: Version = False,
) -> None:
    """Count the instructions of one inference on emulated ARM64 processors.

    The real engines run the artifacts under QEMU, which counts what they
    execute. That is exact and repeats; it is no latency.
    """
    import msgspec

    from shufflenet_deploy.bench.compare.counts_table import show
    from shufflenet_deploy.bench.emulation.processors import DEFAULT
    from shufflenet_deploy.bench.measure.counts import CountPlan
    from shufflenet_deploy.bench.measure.inputs import given_inputs
    from shufflenet_deploy.bench.measure.session import Choice
    from shufflenet_deploy.bench.paper.claims import load_paper
    from shufflenet_deploy.bench.presentation.terminal import stdout_console
    from shufflenet_deploy.bench.results import check_writable

    check_writable(out)
    choice = Choice(
        named=tuple(named or ()),
        suite=suite or (None if named else DEFAULT_SUITE),
        formats=tuple(formats or ()),
        precisions=tuple(precisions or ()),
        folder=artifacts,
        lowerings=tuple(lowerings or ("fast",)),
        engines=tuple(dict.fromkeys(engines or ())),
    )
    choice.needed_engines()  # refuses what cannot be before anything is made
    plan = CountPlan(
        subjects=(),
        cpus=tuple(dict.fromkeys(cpus or (DEFAULT,))),
        caches=caches(kind) is True,
        inputs=given_inputs(shapes or (), ranges or (), inputs or ()),
        jobs=jobs or len(allowed_cores() or (0,)),
    )
    begun = _begin(plan, out, resume)
    subjects = tuple(choice.subjects(load_paper(), _tell))
    counted = _count(begun, msgspec.structs.replace(plan, subjects=subjects), out)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(counted) + b"\n")
    else:
        show(counted, stdout_console())
    _tell(f"counts: {out}")


def _begin(plan: CountPlan, out: Path, resume: bool) -> Counts:
    """New counts, or with `resume` those in `out`."""
    from shufflenet_deploy.bench.documents import COUNTS, load_to_resume, require_ours
    from shufflenet_deploy.bench.measure.counts import begin, go_on, read

    earlier = load_to_resume(out, read) if resume and out.exists() else None
    begun = begin(plan)
    if earlier:
        return go_on(earlier, begun, out)
    require_ours(out, COUNTS)
    if _is_stopped(out):
        raise BenchError(
            f"{out} holds counts that were stopped: go on with them by --resume, name another "
            "file with --out, or delete it",
            usage=True,
        )
    return begun


def _is_stopped(out: Path) -> bool:
    """Whether `out` holds counts that somebody may want to go on with."""
    from shufflenet_deploy.bench.measure.counts import read

    try:
        return out.exists() and not read(out).complete
    except BenchError:
        return False  # empty, or of an older version


def _count(begun: Counts, plan: CountPlan, out: Path) -> Counts:
    from shufflenet_deploy.bench.measure.counts import count_all, write

    counted = begun
    tell: Callable[[str], None] = _tell
    try:
        for latest in count_all(begun, plan, tell):
            counted = latest
            write(out, counted)
    except KeyboardInterrupt:
        kept = f"what was counted is in {out}, --resume goes on" if counted.entries else "nothing"
        raise BenchError(f"interrupted: {kept}") from None
    return counted


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
