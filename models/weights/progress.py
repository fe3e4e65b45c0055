"""The progress of a download, on stderr where a person sees it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Bar:
    """What pooch tells of a transfer, drawn by rich."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

        self.total = 0
        self.progress = Progress(
            "{task.description}",
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self.progress.add_task(name, total=None)

    def update(self, count: int) -> None:
        """`count` further bytes came."""
        self.progress.update(self._task, advance=count, total=self.total or None)

    def reset(self) -> None:
        """Begin at nothing again."""
        self.progress.reset(self._task)

    def close(self) -> None:
        """It is all there."""


@contextmanager
def progress_bar(name: str) -> Iterator[Bar | bool]:
    """A bar on stderr where that is a terminal, and False elsewhere."""
    if not sys.stderr.isatty():
        yield False
        return
    bar = Bar(name)
    with bar.progress:
        yield bar
