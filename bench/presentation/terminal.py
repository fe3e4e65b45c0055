"""Tables and lines on a terminal, or in a pipe, with rich."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.runtime.command_line import print_table
from shufflenet_deploy.runtime.endings import plain

_PIPED_WIDTH = 200
_COLOURS = {
    "supported": "green",
    "exceeded": "cyan",
    "contradicted": "red",
    "inconclusive": "yellow",
    "faster": "green",
    "slower": "red",
    "unknown": "yellow",
}


def stdout_console() -> Console:
    """Where results go. Piped, no line is broken, so that grep finds whole rows."""
    console = Console(highlight=False, emoji=False)
    if console.is_terminal:
        return console
    return Console(highlight=False, emoji=False, width=_PIPED_WIDTH, soft_wrap=True)


def stderr_console() -> Console:
    """Where progress goes, and what is told beside the results."""
    return Console(stderr=True, highlight=False, emoji=False)


def tell(line: str, console: Console) -> None:
    """Print `line` on `console` without breaking it: a terminal does that itself."""
    console.print(plain(line), markup=False, soft_wrap=True)


def show_table(table: Table, console: Console, tight: bool = False) -> None:
    """Print the caption of `table` on `console`, and `table`."""
    show_title(table.brief or table.caption, console)
    print_table(drawn(table, tight), console)
    console.print()


def show_title(title: str, console: Console) -> None:
    """Print `title` above what follows."""
    console.print(f"{plain(title)}\n", style="bold", markup=False)


def show_lines(lines: Iterable[str], console: Console) -> None:
    """Print each of `lines` as it is."""
    for line in lines:
        console.print(plain(line), markup=False)


def drawn(table: Table, tight: bool = False) -> RichTable:
    """`table` without what only a page has the room for; `tight`: many columns, close together."""
    drawing = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=0 if tight else (0, 1, 0, 0))
    places = [place for place, column in enumerate(table.columns) if not column.wide_only]
    for place in places:
        column = table.columns[place]
        drawing.add_column(
            Text(column.heading if column.brief is None else column.brief),
            justify="left" if column.words else "right",
            no_wrap=not column.words,
            overflow="fold" if column.words else "ellipsis",
        )
    for number, row in enumerate(table.rows, 1):
        drawing.add_row(
            *(_cell(table.columns[place], row[place]) for place in places),
            style="bold" if table.total and number == len(table.rows) else None,
        )
    return drawing


def _cell(column: Column, text: str) -> Text:
    """Not markup, which a path with brackets in it would be."""
    return Text(plain(text), style=_COLOURS.get(text, "") if column.outcome else "")
