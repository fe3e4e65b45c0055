"""``shufflenet-bench devices``: the boards that ``--device`` knows."""

from __future__ import annotations


def devices() -> None:
    """List the boards that --device knows, the user's own among them."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from shufflenet_deploy.bench.boards import load_boards, user_boards
    from shufflenet_deploy.bench.table import MISSING, stdout_console

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for heading in ("name", "what it is", "kind", "host", "cores", "GFLOP/s of a core"):
        table.add_column(heading)
    for board in load_boards(user_boards()).values():
        cores = ",".join(map(str, board.cores)) or "any"
        peaks = " or ".join(f"{peak.gflops:g}" for peak in board.peaks) or MISSING
        host = board.host or MISSING
        table.add_row(*map(escape, (board.name, board.title, board.kind, host, cores, peaks)))
    stdout_console().print(table)
