"""An evaluation for a person: a table, and how far it is while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from shufflenet_deploy.bench.accuracy.evaluate import Report
from shufflenet_deploy.bench.accuracy.evaluation import Accuracy, Comparison, Evaluation, Share
from shufflenet_deploy.bench.analysis.wording import MISSING, count, decimal
from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.presentation.terminal import drawn, show_lines
from shufflenet_deploy.runtime.command_line import print_table

_LINES = 4


def show(evaluation: Evaluation, console: Console) -> None:
    """Print `evaluation` on `console`."""
    shared, names = _names(_titles(evaluation.artifacts))
    left_out = f", {len(evaluation.unusable)} left out" if evaluation.unusable else ""
    data = (
        f"{evaluation.data}: {count(evaluation.images, 'image')}{left_out}, "
        f"{evaluation.classes} classes, batch {evaluation.batch}, threads {evaluation.threads}"
    )
    show_lines([data, shared] if shared else [data], console)
    console.print()
    print_table(drawn(_table(evaluation.artifacts, names)), console)
    console.print()
    show_lines(_notes(evaluation), console)


def _table(artifacts: Sequence[Accuracy], names: Sequence[str]) -> Table:
    columns = [Column("artifact", words=True), Column("top-1 (%)", "top-1\n%")]
    if any(artifact.top5 for artifact in artifacts):
        columns.append(Column("top-5 (%)", "top-5\n%"))
    compared = len(artifacts) > 1
    if compared:
        columns += [Column("agree (%)", "agree\n%"), Column("p"), Column("SQNR (dB)", "SQNR\ndB")]
    columns.append(Column("images per s", "images\nper s"))
    rows = []
    for name, artifact in zip(names, artifacts, strict=True):
        cells = [_share(artifact.top1)]
        if artifact.top5:
            cells.append(_share(artifact.top5))
        if compared:
            cells += _comparison(artifact.against_first)
        rows.append((name, *cells, decimal(artifact.images_per_second, 0)))
    return Table("accuracy", tuple(columns), tuple(rows))


def _share(share: Share) -> str:
    """With its interval, at the precision that it has."""
    value, low, high = (decimal(figure, 1, 100) for figure in (share.share, share.low, share.high))
    return f"{value} ({low}-{high})"  # shorter than elsewhere: there are up to two in a row


def _comparison(comparison: Comparison | None) -> list[str]:
    if comparison is None:
        return [MISSING] * 3
    p, sqnr = comparison.mcnemar_p, comparison.sqnr_db
    return [
        decimal(comparison.agreement.share, 1, 100),
        decimal(p, 3) if p >= 0.001 else "<0.001",
        "exact" if sqnr is None else decimal(sqnr, 1),
    ]


def _titles(artifacts: Sequence[Accuracy]) -> list[str]:
    """The files, with the engine where one file was run by several."""
    paths = [artifact.path for artifact in artifacts]
    return [
        f"{artifact.path} on {artifact.engine}" if paths.count(artifact.path) > 1 else artifact.path
        for artifact in artifacts
    ]


def _names(paths: Sequence[str]) -> tuple[str, list[str]]:
    """The words that all file names share, and what is left of each: the names are long."""
    words = [_words(path) for path in paths]
    shared = [word for word in words[0] if all(word in other for other in words)]
    if len(paths) == 1:
        shared.pop()
    names = ["-".join(word for word in parts if word not in shared) for parts in words]
    if all(names) and len(set(names)) == len(names):
        return "-".join(shared), names
    return "", list(paths)


def _words(path: str) -> list[str]:
    return [*Path(path).stem.split("-"), Path(path).suffix.removeprefix(".")]


def _notes(evaluation: Evaluation) -> Iterator[str]:
    yield "in parentheses: Wilson's 95% interval"
    if len(evaluation.artifacts) > 1:
        yield "agree: same best class as the first artifact, right or wrong"
        yield "p: McNemar's exact test; below 0.05 the difference of top-1 is hardly chance"
        yield "SQNR: squared logits of the first / squared differences from them"
    yield "images per s: throughput of the engine in batches here, not a latency"


@contextmanager
def progress(console: Console) -> Iterator[Report]:
    """Yield what shows progress on `console`: a bar on a terminal, a line a quarter elsewhere."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    bar = Progress(
        TextColumn("evaluating"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task("evaluating", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


class _Lines:
    """A line at every quarter of the images: logs stay short."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0

    def __call__(self, done: int, of: int) -> None:
        quarters = done * _LINES // of
        if quarters > self._told:
            self._told = quarters
            self._console.print(f"evaluated {done} of {of} images", highlight=False)
