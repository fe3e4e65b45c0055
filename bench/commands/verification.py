"""``shufflenet-bench verify``: whether artifacts compute on a device what they should."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shufflenet_deploy.bench.commands.options import (
    AnyBoard,
    Cpu,
    DeviceName,
    Engines,
    Provision,
    way,
)
from shufflenet_deploy.runtime.command_line import Version, print_table
from shufflenet_deploy.runtime.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shufflenet_deploy.bench.measure.verification import Verified


def verify(
    named: Annotated[
        list[Path],
        typer.Argument(
            metavar="ARTIFACT",
            show_default=False,
            help="Files of shufflenet-export, with their manifests beside them.",
        ),
    ],
    device: DeviceName = "local",
    any_board: AnyBoard = False,
    provision: Provision = None,
    cpu: Cpu = None,
    engines: Engines = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    version: Version = False,
) -> None:
    """Check that artifacts compute on a device what their manifests say.

    Each runs there once on its manifest's seeded image, and its logits are
    compared with those that the manifest holds. Nothing is timed. Exit 1 where
    one differs or does not run.
    """
    import msgspec

    from shufflenet_deploy.bench.devices import describe, open_device
    from shufflenet_deploy.bench.devices.boards import find_board
    from shufflenet_deploy.bench.devices.options import DeviceOptions
    from shufflenet_deploy.bench.measure.artifacts import open_named
    from shufflenet_deploy.bench.measure.engines import engines_by_format
    from shufflenet_deploy.bench.measure.verification import check_manifests
    from shufflenet_deploy.bench.measure.verification import verify as verify_all
    from shufflenet_deploy.bench.presentation.terminal import stderr_console, tell
    from shufflenet_deploy.runtime.formats import format_of

    stderr = stderr_console()
    board = find_board(device)
    by_format = engines_by_format(named, (), tuple(dict.fromkeys(engines or ())))
    check_manifests(named)
    artifacts = open_named(named)
    options = DeviceOptions(
        provision=way(provision),
        engines=tuple(dict.fromkeys(name for names in by_format.values() for name in names)),
        cpu=cpu,
        tell=lambda line: tell(line, stderr),
    )
    with open_device(board, options) as opened:
        describe(opened, board, any_board)
        runs = [
            (artifact, engine)
            for artifact in artifacts
            for engine in by_format[format_of(artifact.path).name]
        ]
        verified = list(verify_all(opened, runs, lambda progress: None))
    if as_json:
        document = {"device": board.name, "artifacts": verified}
        sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
    else:
        _show(verified)
    failed = [artifact.artifact for artifact in verified if artifact.verdict != "same"]
    if failed:
        raise BenchError(f"not the same on {board.name}: {', '.join(failed)}")


def _show(verified: Sequence[Verified]) -> None:
    from shufflenet_deploy.bench.analysis.wording import MISSING
    from shufflenet_deploy.bench.presentation.tables import Column, Table
    from shufflenet_deploy.bench.presentation.terminal import drawn, show_lines, stdout_console

    columns = (
        Column("artifact", words=True),
        Column("engine", words=True),
        Column("difference"),
        Column("allowed"),
        Column("verdict", words=True),
    )
    rows = tuple(
        (
            artifact.artifact,
            f"{artifact.engine} {artifact.engine_version}" if artifact.engine else MISSING,
            MISSING if artifact.difference is None else f"{artifact.difference:.1e}",
            f"{artifact.tolerance:.1e}",
            artifact.verdict,
        )
        for artifact in verified
    )
    console = stdout_console()
    print_table(drawn(Table("artifacts", columns, rows)), console)
    show_lines(
        (f"{artifact.artifact}: {artifact.reason}" for artifact in verified if artifact.reason),
        console,
    )
