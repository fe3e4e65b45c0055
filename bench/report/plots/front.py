"""The variants between accuracy and time."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from shufflenet_deploy.bench.analysis.summary import FrontPoint, ModelSummary
from shufflenet_deploy.bench.analysis.wording import count, listed, names_of_all, where
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.plots import Key, Panel, Plot
from shufflenet_deploy.bench.report.plots.canvas import COLOURS, draw, log_axis, short
from shufflenet_deploy.bench.report.plots.series import Series, keys, series_of

_ID = "front"
_HEIGHT = 300
_Placed = tuple[float, FrontPoint]
"""A variant's time in milliseconds, and the variant."""


def front(data: ReportData) -> Plot:
    """A panel for each setting with variants whose error is published.

    Where errors were measured, one for each number of threads.
    """
    panels: dict[str, list[_Placed]] = {where(setting): [] for setting, _ in data.groups()}
    for point in data.summary.front:
        model = data.summary.models[point.model]
        if model.latency_ms:
            panels.setdefault(_title(point, model), []).append((model.latency_ms.value, point))
    sources = list(dict.fromkeys(point.source for point in data.summary.front))
    measured = any(point.measured for point in data.summary.front)
    origin = (
        f"The errors are those of these very files, {listed(sources)}."
        if measured
        else "The errors are not measured here but published: they are from "
        f"{listed(sources) if sources else 'nowhere'}."
    )
    models = [point.model for points in panels.values() for _, point in points]
    return Plot(
        id=_ID,
        title=data.marked("Accuracy against time"),
        reading="Lower is more accurate, further left is faster. The line joins the front: no "
        f"other variant is better in both. {origin}",
        keys=(
            *keys(data.network(data.summary.models[index]) for index in models),
            Key("ink", "-", "the front"),
        ),
        panels=tuple(
            _panel(data, f"{_ID}-{number}", title, points)
            for number, (title, points) in enumerate(panels.items())
            if points
        ),
        missing="No variant has both a latency and a published error.",
    )


def _title(point: FrontPoint, model: ModelSummary) -> str:
    return count(model.setting.threads, "thread") if point.measured else where(model.setting)


def _panel(data: ReportData, id: str, title: str, points: Sequence[_Placed]) -> Panel:
    best = sorted((placed for placed in points if placed[1].on_front), key=lambda placed: placed[0])

    def paint(axes: Axes) -> None:
        log_axis(axes, "x", [time for time, _ in points])
        axes.set_xlabel("time (ms)")
        axes.set_ylabel("top-1 error (%)")
        axes.margins(y=0.12)
        axes.step(
            [time for time, _ in best],
            [point.top1_error_percent for _, point in best],
            where="post",
            color=COLOURS["ink"],
            linewidth=1,
        )
        series = [_series(data, point) for _, point in points]
        for own_series, placed in zip(series, points, strict=True):
            # Of one network alone the legend tells the scale as well.
            _mark(axes, data, placed, named=series.count(own_series) > 1)

    drawing = draw(id, f"accuracy against time, {title}", _HEIGHT, paint)
    names = [_name(data, point) for _, point in best]
    finding = f"On the front: {listed(names)}." if names else "None is on the front."
    return Panel(title, drawing, finding)


def _name(data: ReportData, point: FrontPoint) -> str:
    if point.measured:
        return names_of_all(data.summary.models)[point.model]
    return data.network_label(data.summary.models[point.model])


def _series(data: ReportData, point: FrontPoint) -> Series:
    return series_of(data.network(data.summary.models[point.model]))


def _mark(axes: Axes, data: ReportData, placed: _Placed, named: bool) -> None:
    time, point = placed
    network = data.network(data.summary.models[point.model])
    series = series_of(network)
    axes.plot(
        [time],
        [point.top1_error_percent],
        color=COLOURS[series.colour],
        marker=series.marker,
        # Off the front it is hollow.
        markerfacecolor=COLOURS[series.colour if point.on_front else "ground"],
        zorder=3,
    )
    text = None
    if point.measured:  # of many files by any name; those that are beaten stand in the table
        text = short(_name(data, point)) if point.on_front else None
    elif named and network and network.scale is not None:
        text = f"{network.scale:g}x"
    if text:
        axes.annotate(
            text,
            (time, point.top1_error_percent),
            (7, 5),
            textcoords="offset points",
            zorder=5,
        )
