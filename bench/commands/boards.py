"""``shufflenet-bench devices``: the boards that ``--device`` knows, and which of them answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from shufflenet_deploy.runtime.command_line import Version, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shufflenet_deploy.bench.devices.board import Board
    from shufflenet_deploy.bench.devices.probing import Probed


def devices(
    probe: Annotated[
        bool, typer.Option("--probe", help="Ask each whether it is there and what it is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    version: Version = False,
) -> None:
    """List the boards that --device knows, the user's own among them."""
    from shufflenet_deploy.bench.devices.boards import load_boards, user_boards
    from shufflenet_deploy.bench.devices.probing import probe_all

    boards = list(load_boards(user_boards()).values())
    probed = probe_all(boards) if probe else {}
    if as_json:
        import msgspec

        document = [
            msgspec.to_builtins(board) | ({"probed": probed[board.name]} if probe else {})
            for board in boards
        ]
        sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
        return
    _show(boards, probed)


def _show(boards: Sequence[Board], probed: Mapping[str, Probed]) -> None:
    from shufflenet_deploy.bench.analysis.wording import MISSING
    from shufflenet_deploy.bench.devices import DEVICES
    from shufflenet_deploy.bench.presentation.tables import Column, Table
    from shufflenet_deploy.bench.presentation.terminal import drawn, show_lines, stdout_console

    headings = ("name", "what it is", "kind", "host", "cores", "GFLOP/s of a core")
    rows = []
    for board in boards:
        usual = "fastest" if DEVICES[board.kind].takes_fastest_cores else "any"
        cores = ",".join(map(str, board.cores)) or usual
        peaks = " or ".join(f"{peak.gflops:g}" for peak in board.peaks) or MISSING
        rows.append((board.name, board.title, board.kind, board.host or MISSING, cores, peaks))
    columns = tuple(Column(heading, words=True) for heading in headings)
    console = stdout_console()
    print_table(drawn(Table("boards", columns, tuple(rows))), console)
    if not probed:
        return
    console.print()
    show_lines(
        (
            f"{name}: {'' if answer.answers else 'no answer: '}{answer.says}"
            for name, answer in probed.items()
        ),
        console,
    )
