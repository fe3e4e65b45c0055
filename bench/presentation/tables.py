"""Tables as plain data, in words ready to print, which each renderer draws in its own way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column's heading, and how its cells are drawn."""

    heading: str
    """The column's heading, with the unit of its cells."""
    brief: str | None = None
    """The heading in short lines, for a terminal's narrow columns; None takes `heading`."""
    words: bool = False
    """Whether the column's cells are words, which stand at the left, and not numbers."""
    outcome: bool = False
    """Whether the column's cells are outcomes, which a renderer may mark."""
    wide_only: bool = False
    """Whether only a page has the room for the column, and a terminal leaves it out."""


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first of each row is its name."""

    caption: str
    """What the table is, told without what surrounds it."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    brief: str | None = None
    """The caption where the table stands below what it belongs to; None takes `caption`."""
    total: bool = False
    """Whether the last row sums up all others."""
