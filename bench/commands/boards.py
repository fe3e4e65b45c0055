"""``shufflenet-bench devices``: the boards that ``--device`` knows, and which of them answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shufflenet_deploy.bench.boards import Board
    from shufflenet_deploy.bench.probing import Probed


def devices(
    probe: Annotated[
        bool, typer.Option("--probe", help="Ask each whether it is there and what it is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the boards that --device knows, the user's own among them."""
    from shufflenet_deploy.bench.boards import load_boards, user_boards
    from shufflenet_deploy.bench.probing import probe_all

    boards = list(load_boards(user_boards()).values())
    found = probe_all(boards) if probe else {}
    if as_json:
        import msgspec

        document = [
            msgspec.to_builtins(board) | ({"probed": found[board.name]} if probe else {})
            for board in boards
        ]
        sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
        return
    _show(boards, found)


def _show(boards: Sequence[Board], found: Mapping[str, Probed]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from shufflenet_deploy.bench.table import MISSING, stdout_console

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for heading in ("name", "what it is", "kind", "host", "cores", "GFLOP/s of a core"):
        table.add_column(heading)
    for board in boards:
        cores = ",".join(map(str, board.cores)) or ("fastest" if board.kind == "adb" else "any")
        peaks = " or ".join(f"{peak.gflops:g}" for peak in board.peaks) or MISSING
        host = board.host or MISSING
        table.add_row(*map(escape, (board.name, board.title, board.kind, host, cores, peaks)))
    console = stdout_console()
    console.print(table)
    if not found:
        return
    console.print()
    for name, one in found.items():
        console.print(
            f"{name}: {'' if one.answers else 'no answer: '}{one.says}",
            markup=False,
            soft_wrap=True,
        )
