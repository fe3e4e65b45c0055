"""Time against multiply-adds: whether fewer of them are as much faster as they should be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from shufflenet_deploy.bench.analysis.summary import Estimate, Setting
from shufflenet_deploy.bench.analysis.wording import where, with_interval
from shufflenet_deploy.bench.paper.claims import Claim
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.plots import Key, Panel, Plot
from shufflenet_deploy.bench.report.plots.canvas import COLOURS, draw, log_axis
from shufflenet_deploy.bench.report.plots.series import keys, series_of

_HEIGHT = 300
_ID = "scaling"
_OURS = "shufflenet-v1"


@dataclass(frozen=True)
class _Point:
    network: Network | None
    multiply_adds_m: float
    latency: Estimate


def scaling(data: ReportData) -> Plot:
    """A panel for each setting."""
    panels = []
    networks: set[Network | None] = set()
    least = 1 if data.results.suite else 2  # of the user's own models one alone tells nothing
    for number, (setting, models) in enumerate(data.groups()):
        points = list(_points(data, models))
        if len(points) >= least:
            networks |= {point.network for point in points}
            panels.append(_panel(data, f"{_ID}-{number}", setting, points))
    return Plot(
        id=_ID,
        title=data.marked("Time against multiply-adds"),
        reading="Both axes are logarithmic. Were time proportional to multiply-adds, networks "
        "would lie on the dotted line; the dashed one has the slope of the paper's own table. "
        "Both pass through the largest ShuffleNet of the panel. Bars are 95% intervals, most of "
        "them smaller than their mark.",
        keys=(
            *keys(networks),
            Key("muted", "--", "the paper's slope"),
            Key("muted", ":", "ideal: proportional"),
        ),
        panels=tuple(panels),
        missing="No model has both a latency and known multiply-adds.",
    )


def _points(data: ReportData, models: Sequence[int]) -> Iterator[_Point]:
    for index in models:
        model = data.summary.models[index]
        if model.latency_ms and model.multiply_adds:
            network = data.network(model)
            yield _Point(network, model.multiply_adds / 1e6, model.latency_ms)


def _panel(data: ReportData, id: str, setting: Setting, points: Sequence[_Point]) -> Panel:
    title = where(setting)

    def paint(axes: Axes) -> None:
        log_axis(axes, "x", [point.multiply_adds_m for point in points])
        log_axis(axes, "y", [point.latency.value for point in points])
        axes.set_xlabel("multiply-adds (millions)")
        axes.set_ylabel("time (ms)")
        _lines(axes, data, setting, points)
        for group in _by_series(points):
            _series(axes, group)

    drawing = draw(id, f"time against multiply-adds, {title}", _HEIGHT, paint)
    return Panel(title, drawing, _finding(data, setting, points))


def _lines(axes: Axes, data: ReportData, setting: Setting, points: Sequence[_Point]) -> None:
    """Slopes through the largest ShuffleNet, drawn to the panel's edges."""
    ours = [point for point in points if point.network and point.network.name == _OURS]
    claim = _claim(data)
    if not ours or claim is None:
        return
    anchor = max(ours, key=lambda point: point.multiply_adds_m)
    ends = axes.get_xlim()
    paper = math.log(_paper_speedup(data, claim, setting), 4)
    for slope, style in ((paper, "--"), (1.0, ":")):
        times = [anchor.latency.value * (end / anchor.multiply_adds_m) ** slope for end in ends]
        axes.plot(ends, times, style, color=COLOURS["muted"], zorder=1)


def _series(axes: Axes, group: Sequence[_Point]) -> None:
    network = group[0].network
    series = series_of(network)
    ordered = sorted(group, key=lambda point: point.multiply_adds_m)
    x = [point.multiply_adds_m for point in ordered]
    y = [point.latency.value for point in ordered]
    intervals = [(point.latency.low, point.latency.high) for point in ordered]
    colour = COLOURS[series.colour]
    for place, (low, high) in zip(x, intervals, strict=True):
        if low is not None and high is not None:
            axes.plot([place, place], [low, high], color=COLOURS["ink"], linewidth=1, zorder=2)
    joined = "-" if network and len(group) > 1 else "none"
    axes.plot(x, y, color=colour, marker=series.marker, linestyle=joined, zorder=3)
    for point in ordered if joined == "-" else ():
        scale = point.network.scale if point.network else None
        if scale is not None:
            axes.annotate(
                f"{scale:g}x",
                (point.multiply_adds_m, point.latency.value),
                (-7, 5),
                textcoords="offset points",
                horizontalalignment="right",
                zorder=5,
            )


def _by_series(points: Sequence[_Point]) -> list[list[_Point]]:
    groups: dict[str, list[_Point]] = {}
    for point in points:
        groups.setdefault(series_of(point.network).name, []).append(point)
    return list(groups.values())


def _claim(data: ReportData) -> Claim | None:
    claims = data.paper.claims
    return next((claim for claim in claims if claim.statistic == "speedup_per_fourfold"), None)


def _paper_speedup(data: ReportData, claim: Claim, setting: Setting) -> float:
    """Of the paper's table at this size, or what its text says where that lacks the size."""
    table = data.paper.table_value(claim, setting.input_size) if setting.input_size else None
    return table or claim.low


def _finding(data: ReportData, setting: Setting, points: Sequence[_Point]) -> str:
    claim = _claim(data)
    if claim:
        for verdict in data.summary.verdicts:
            if (verdict.claim, verdict.setting) == (claim.id, setting) and verdict.measured:
                paper = _paper_speedup(data, claim, setting)
                return (
                    f"A 4-fold cut of multiply-adds makes ShuffleNet "
                    f"{with_interval(verdict.measured)} times faster; "
                    f"the paper's table gives {paper:.2f}, proportional time would give 4."
                )
    minimum = min(points, key=lambda point: point.latency.value)
    maximum = max(points, key=lambda point: point.latency.value)
    return (
        f"From {minimum.latency.value:.3g} ms for {minimum.multiply_adds_m:.4g} million "
        f"multiply-adds to {maximum.latency.value:.4g} ms for {maximum.multiply_adds_m:.4g} "
        "million."
    )
