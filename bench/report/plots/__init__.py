"""The report's plots: each module makes one, of as many panels as there are settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """One drawing, of one setting."""

    title: str
    svg: str
    finding: str
    """What the panel shows, in a sentence: for those who do not see it, and those who do."""


@dataclass(frozen=True)
class Key:
    """An entry of a plot's legend."""

    colour: str
    """The name of the mark's colour in `canvas.COLOURS`."""
    mark: str
    """A marker as matplotlib names it, or a line: ``-``, ``--``, ``:``."""
    meaning: str


@dataclass(frozen=True)
class Plot:
    """Panels that are read in the same way."""

    id: str
    title: str
    reading: str
    """What is drawn and how to read it, in sentences."""
    keys: tuple[Key, ...]
    panels: tuple[Panel, ...]
    """The drawings, one of each setting; empty where there is nothing to draw."""
    missing: str
