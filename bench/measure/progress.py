"""How far a measurement is, on stderr: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from shufflenet_deploy.bench.analysis.estimates import base_of, claimed, half_width_percent, ratios
from shufflenet_deploy.bench.analysis.summarise import short_labels
from shufflenet_deploy.bench.analysis.summary import Estimate
from shufflenet_deploy.bench.measure.protocol import Step
from shufflenet_deploy.bench.paper.claims import Paper
from shufflenet_deploy.bench.results import Block, Results
from shufflenet_deploy.runtime.worker.spec import Progress as WorkerProgress

_ROWS = 18
"""The number of blocks that the live view shows at most: more would not fit a terminal."""


def _in_sight(results: Results) -> Sequence[Block]:
    """As many blocks as fit, the one that was measured last among them."""
    ids = [block.id for block in results.blocks]
    latest = ids.index(results.runs[-1].block)
    first = min(max(latest - _ROWS // 2, 0), max(len(ids) - _ROWS, 0))
    return results.blocks[first : first + _ROWS]


class View(Protocol):
    """Shows what is told to it."""

    def report(self, step: Step, worker: WorkerProgress) -> None:
        """A worker says how far it is."""

    def update(self, results: Results) -> None:
        """There is more than before."""


@contextmanager
def shown(console: Console, paper: Paper) -> Iterator[View]:
    """Yield what shows progress on `console` while the context lasts."""
    if not console.is_terminal:
        yield _Lines(console, paper)
        return
    with Live(console=console, transient=True, refresh_per_second=4) as live:
        yield _Screen(live, paper)


@dataclass(frozen=True)
class Figure:
    """What a block tells so far: one figure, the same after each process, and how far others are.

    Which of a block's ratios is the least certain changes from process to process, so that one
    shown for that reason would seem to jump.
    """

    name: str
    """What the figure is of, such as ``alexnet / shufflenet-v1-g3-x0.5``, or the title of the
    block's claim."""
    estimate: Estimate
    others: tuple[Estimate, ...]
    """The block's other ratios: the block goes on until they are known as well."""

    def __str__(self) -> str:
        return f"{self.name} = {known(self.estimate)}{_others_known(self.others)}"


def _others_known(others: Sequence[Estimate]) -> str:
    """How many there are, and how well the least certain is known; empty without any."""
    if not others:
        return ""
    number = f", {len(others)} other ratio{'' if len(others) == 1 else 's'}"
    widths = [half_width_percent(other) for other in others]
    known_widths = [width for width in widths if width is not None]
    all_known = len(known_widths) == len(widths)
    return number + (f" within ± {max(known_widths):.1f} %" if all_known else "")


def current(results: Results, block: Block, paper: Paper) -> Figure | None:
    """The figure of `block`: its claim's statistic, or its first ratio; None without samples."""
    by_member = ratios(results, block, paper)
    if block.claim and (claim := paper.claim(block.claim)).statistic != "ratio":
        estimate = claimed(results, block, paper)
        return Figure(claim.title, estimate, tuple(by_member.values())) if estimate else None
    if not by_member:
        return None
    (member, estimate), *others = by_member.items()
    name = _pair_name(results, block, member, base_of(block, paper))
    return Figure(name, estimate, tuple(other for _, other in others))


def _pair_name(results: Results, block: Block, above: int, below: int) -> str:
    """``X / Y`` of two models of `block`; with formats where these differ, else with engines."""
    members = {member: results.models[member] for member in block.members}
    labels = dict(zip(members, short_labels(list(members.values())), strict=True))
    first, second = members[above], members[below]
    formats, engines = (first.format, second.format), (first.engine, second.engine)
    additions = next((pair for pair in (formats, engines) if pair[0] != pair[1]), ())
    names = [labels[above], labels[below]]
    if additions:
        names = [f"{name} ({addition})" for name, addition in zip(names, additions, strict=True)]
    return " / ".join(names)


def known(estimate: Estimate) -> str:
    """A figure and how wide its interval is."""
    width = half_width_percent(estimate)
    return f"{estimate.value:.2f}" + ("" if width is None else f" ± {width:.1f} %")


def duration(seconds: float | None) -> str:
    """Roughly, for a person who waits."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


class _Lines:
    """A line for each worker, and what its block tells after it: logs stay short."""

    def __init__(self, console: Console, paper: Paper) -> None:
        self._console = console
        self._paper = paper
        self._step: Step | None = None
        self._runs = 0

    def report(self, step: Step, worker: WorkerProgress) -> None:
        if step is self._step:
            return
        first = self._step is None or self._step.seconds_left is None
        if first and step.seconds_left is not None:
            self._print(f"about {duration(step.seconds_left)} to go, at least")
        self._step = step
        self._print(step.title)

    def update(self, results: Results) -> None:
        if len(results.runs) <= self._runs:
            return
        self._runs = len(results.runs)
        block = next(block for block in results.blocks if block.id == results.runs[-1].block)
        figure = current(results, block, self._paper)
        left = self._step.seconds_left if self._step else None
        if figure:
            self._print(f"  so far {figure}, about {duration(left)} to go")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Screen:
    """What runs, how long it still takes, and the ratios so far, redrawn in place."""

    def __init__(self, live: Live, paper: Paper) -> None:
        self._live = live
        self._paper = paper
        self._step: Step | None = None
        self._blocks: RenderableType = ""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._task = self._bar.add_task("starting", total=None, left="")

    def report(self, step: Step, worker: WorkerProgress) -> None:
        self._step = step
        left = "" if step.seconds_left is None else f"about {duration(step.seconds_left)} to go"
        self._bar.update(
            self._task,
            description=escape(f"{step.title}: {worker.stage}"),
            completed=worker.done,
            total=worker.total,
            left=left,
        )
        self._draw()

    def update(self, results: Results) -> None:
        if results.runs:
            self._blocks = self._table(results)
        self._draw()

    def _draw(self) -> None:
        self._live.update(Group(self._bar, self._blocks))

    def _table(self, results: Results) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        table.add_column("block")
        table.add_column("processes", justify="right", no_wrap=True)
        table.add_column("ratio")
        table.add_column("so far", justify="right", no_wrap=True)
        for block in _in_sight(results):
            done = sum(run.block == block.id for run in results.runs)
            figure = None if block.skipped else current(results, block, self._paper)
            table.add_row(
                _one_line(block.id),
                str(done),
                _one_line(figure.name if figure else ""),
                "skipped" if block.skipped else known(figure.estimate) if figure else "",
            )
        if len(results.blocks) > _ROWS:
            table.add_row(f"and {len(results.blocks) - _ROWS} more", "", "", "")
        return table


def _one_line(text: str) -> Text:
    """Cut where the terminal is too narrow: only so the figures beside it stay whole."""
    return Text(text, no_wrap=True, overflow="ellipsis")
