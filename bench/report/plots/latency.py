"""The latency of a user's own models as bars, with what is not known of it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from shufflenet_deploy.bench.analysis.summary import ModelSummary
from shufflenet_deploy.bench.analysis.wording import count, names_of_all
from shufflenet_deploy.bench.analysis.wording import latency as in_words
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.overview import ordered
from shufflenet_deploy.bench.report.plots import Key, Panel, Plot
from shufflenet_deploy.bench.report.plots.canvas import (
    COLOURS,
    draw,
    few_ticks,
    figure_at,
    interval,
    short,
)

_ID = "latency"
_FRAME, _ROW = 50, 42
_NAME = 0.42
"""How far above the middle of its bar a name stands, in rows."""
_LONGEST = 52
"""So many letters of a name fit above a bar."""
_ROOM = 1.25
"""How far the axis reaches beyond the longest bar, in its lengths: for the figure at its end."""


def latency(data: ReportData) -> Plot:
    """A panel for each number of threads."""
    names = names_of_all(data.summary.models)
    by_threads: dict[int, list[tuple[str, ModelSummary]]] = {}
    for index in ordered(data):
        model = data.summary.models[index]
        if model.latency_ms:
            by_threads.setdefault(model.setting.threads, []).append((names[index], model))
    return Plot(
        id=_ID,
        title=data.marked("Latency"),
        reading="Shorter is faster. The line at a bar's end is the 95% interval.",
        keys=(
            Key("series-1", "-", "geometric mean over processes of each one's median"),
            Key("ink", "|", "95% interval"),
        ),
        panels=tuple(
            _panel(f"{_ID}-{threads}", threads, models) for threads, models in by_threads.items()
        ),
        missing="There are no timed runs.",
    )


def _panel(id: str, threads: int, models: Sequence[tuple[str, ModelSummary]]) -> Panel:
    title = count(threads, "thread")

    def paint(axes: Axes) -> None:
        for row, (_, model) in enumerate(models):
            _bar(axes, row, model)
        axes.set_xlim(0, _ROOM * max(_end(model) for _, model in models))
        _name(axes, [name for name, _ in models])
        few_ticks(axes)
        axes.set_xlabel("time (ms)")

    drawing = draw(id, f"latency, {title}", _FRAME + _ROW * len(models), paint)
    slowest = models[-1]
    finding = f"{models[0][0]} takes {in_words(models[0][1])} ms"
    if len(models) > 1:
        finding += f", {slowest[0]} {in_words(slowest[1])} ms"
    return Panel(title, drawing, f"{finding}.")


def _name(axes: Axes, names: Sequence[str]) -> None:
    """Each above its bar, where there is room for all of it."""
    axes.set_yticks([])
    axes.set_ylim(len(names) - 0.5, -0.75)
    for row, name in enumerate(names):
        axes.annotate(
            short(name, _LONGEST),
            (0, row - _NAME),
            verticalalignment="center",
            annotation_clip=False,
        )


def _bar(axes: Axes, row: int, model: ModelSummary) -> None:
    assert model.latency_ms
    axes.barh(row, model.latency_ms.value, 0.4, color=COLOURS["series-1"])
    interval(axes, row, model.latency_ms.low, model.latency_ms.high)
    figure_at(axes, _end(model), row, in_words(model))


def _end(model: ModelSummary) -> float:
    assert model.latency_ms
    return model.latency_ms.high or model.latency_ms.value
