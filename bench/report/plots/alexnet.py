"""Ratios AlexNet / each other network, beside what the paper's table gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from shufflenet_deploy.bench.analysis.summary import Estimate, Setting
from shufflenet_deploy.bench.analysis.wording import listed, number, where
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.plots import Key, Panel, Plot
from shufflenet_deploy.bench.report.plots.canvas import (
    COLOURS,
    draw,
    few_ticks,
    figure_at,
    interval,
    name_rows,
)

_ALEXNET = Network(name="alexnet")
_ID = "alexnet"
_FRAME, _ROW = 50, 40
"""Height of what surrounds the rows, and of one row, in CSS pixels."""
_TOLD = 3


@dataclass(frozen=True)
class _Bar:
    name: str
    ratio: Estimate
    paper: float | None


def alexnet(data: ReportData) -> Plot:
    """A panel for each setting in which AlexNet was measured."""
    panels = []
    for index, (setting, models) in enumerate(data.groups()):
        bars = sorted(_bars(data, setting, models), key=lambda bar: -bar.ratio.value)
        if bars:
            panels.append(_panel(data, f"{_ID}-{index}", setting, bars))
    return Plot(
        id=_ID,
        title=data.marked("How many times faster than AlexNet"),
        reading="Times, AlexNet / each network. With a whisker, the 95% interval, it is "
        "the ratio of paired times; without one both were measured in blocks of their own and it "
        f"is the quotient of their latencies. The paper's: {data.paper.table.place}, measured "
        f"on a {data.paper.table.device}.",
        keys=(Key("series-1", "s", "measured"), Key("paper", "s", "the paper's table")),
        panels=tuple(panels),
        missing="There is no latency of AlexNet beside that of another network.",
    )


def _bars(data: ReportData, setting: Setting, models: Sequence[int]) -> Iterator[_Bar]:
    summary = data.summary
    alone = next(
        (index for index in models if data.network(summary.models[index]) == _ALEXNET), None
    )
    if alone is None:
        return
    time = summary.models[alone].latency_ms
    paired = {pair.denominator: pair.ratio for pair in summary.pairs if pair.numerator == alone}
    for index, name in zip(models, data.networks(models), strict=True):
        latency = summary.models[index].latency_ms
        if index != alone and time and latency:
            ratio = paired.get(index) or _quotient(time, latency)
            paper = _paper(data, setting, data.network(summary.models[index]))
            yield _Bar(name, ratio, paper)


def _quotient(numerator: Estimate, denominator: Estimate) -> Estimate:
    """Of times that are no pairs: nothing is known of how far it moves."""
    value = numerator.value / denominator.value
    return Estimate(value=value, low=None, high=None, processes=0, rounds=0)


def _paper(data: ReportData, setting: Setting, network: Network | None) -> float | None:
    if network is None or setting.input_size is None:
        return None
    table, size = data.paper.table, setting.input_size
    alexnet_point, network_point = table.point(_ALEXNET, size), table.point(network, size)
    return alexnet_point[1] / network_point[1] if alexnet_point and network_point else None


def _panel(data: ReportData, id: str, setting: Setting, bars: Sequence[_Bar]) -> Panel:
    title = where(setting)

    def paint(axes: Axes) -> None:
        maximum = max(max(bar.ratio.high or bar.ratio.value, bar.paper or 0) for bar in bars)
        axes.set_xlim(0, maximum * 1.2)  # room for the numbers
        for row, bar in enumerate(bars):
            _row(axes, row, bar)
        name_rows(axes, [bar.name for bar in bars])
        few_ticks(axes)
        axes.set_xlabel("times faster than AlexNet")

    drawing = draw(id, f"AlexNet / each other network, {title}", _FRAME + _ROW * len(bars), paint)
    return Panel(title, drawing, _finding(bars))


def _row(axes: Axes, row: int, bar: _Bar) -> None:
    value, low, high = bar.ratio.value, bar.ratio.low, bar.ratio.high
    height = row - 0.18 if bar.paper is not None else float(row)
    axes.barh(height, value, 0.36, color=COLOURS["series-1"])
    interval(axes, height, low, high)
    figure_at(axes, high or value, height, number(value))
    if bar.paper is not None:
        axes.barh(row + 0.18, bar.paper, 0.28, color=COLOURS["paper"])
        figure_at(axes, bar.paper, row + 0.18, number(bar.paper))


def _finding(bars: Sequence[_Bar]) -> str:
    # Those that the paper has too say most.
    told = sorted(bars, key=lambda bar: bar.paper is None)[:_TOLD]
    ratios = [
        f"{number(bar.ratio.value)} times that of {bar.name}"
        + (f" (the paper: {number(bar.paper)})" if bar.paper else "")
        for bar in told
    ]
    return f"AlexNet's time is {listed(ratios)}."
