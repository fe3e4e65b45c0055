"""How far the measurement is, on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shufflenet_deploy.bench.protocol import Report, Step
from shufflenet_deploy.runtime.spec import Progress as WorkerProgress

_LINES_PER_BLOCK = 4


@contextmanager
def shown(console: Console) -> Iterator[Report]:
    """Yield what shows progress on `console` as it is called."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bar:
        yield _Bar(bar)


def _heading(step: Step) -> str:
    return f"[{step.number}/{step.of}] {step.title}"


class _Bar:
    """One bar for the worker that is under way."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None)
        self._step: Step | None = None

    def __call__(self, step: Step, worker: WorkerProgress) -> None:
        if step is not self._step:
            self._step = step
            self._progress.reset(self._task)
        description = escape(f"{_heading(step)}, {worker.stage}")
        self._progress.update(
            self._task, description=description, completed=worker.done, total=worker.total
        )


class _Lines:
    """A line when a worker begins, and at every quarter of its rounds: logs stay short."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step: Step | None = None

    def __call__(self, step: Step, worker: WorkerProgress) -> None:
        if step is not self._step:
            self._step = step
            self._print(_heading(step))
        elif worker.stage == "round" and worker.done:
            quarters = worker.done * _LINES_PER_BLOCK // worker.total
            if quarters > (worker.done - 1) * _LINES_PER_BLOCK // worker.total:
                self._print(f"{_heading(step)}, round {worker.done} of {worker.total}")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
