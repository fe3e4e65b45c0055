"""How the single runs of each model scatter, and what was far off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, median_low

import numpy as np
from matplotlib.axes import Axes

from shufflenet_deploy.bench.analysis.summary import ModelSummary, Setting
from shufflenet_deploy.bench.analysis.wording import where
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.plots import Key, Panel, Plot
from shufflenet_deploy.bench.report.plots.canvas import COLOURS, draw, few_ticks, name_rows
from shufflenet_deploy.bench.report.plots.series import series_of

_ID = "distributions"
_FRAME, _ROW = 50, 28
_MIN_PERCENT = 2.0
"""What the axis shows at least on both sides of the median, in percent, so that a calm machine
looks calm."""
_REACH = 1.5
"""The most that a whisker reaches beyond the box, in lengths of the box, as Tukey has it."""


@dataclass(frozen=True)
class _Spread:
    """One model's runs, in percent of their median above it."""

    name: str
    network: Network | None
    percent: np.ndarray
    p90: float
    p99: float
    outliers: int

    @property
    def quartiles(self) -> tuple[float, float]:
        low, high = np.percentile(self.percent, (25, 75))
        return float(low), float(high)

    @property
    def whiskers(self) -> tuple[float, float]:
        """The farthest runs that are no farther than `_REACH` from the box."""
        low, high = self.quartiles
        reach = _REACH * (high - low)
        near = self.percent[(self.percent >= low - reach) & (self.percent <= high + reach)]
        return float(near.min()), float(near.max())

    @property
    def beyond(self) -> np.ndarray:
        """The runs outside the whiskers."""
        low, high = self.whiskers
        return self.percent[(self.percent < low) | (self.percent > high)]


def distributions(data: ReportData) -> Plot:
    """A panel for each setting."""
    panels = []
    for number, (setting, models) in enumerate(data.groups()):
        names = data.networks(models)
        spreads = [
            _spread(name, data.network(model), model)
            for name, model in zip(names, (data.summary.models[i] for i in models), strict=True)
            if model.samples_ms
        ]
        if spreads:
            panels.append(_panel(f"{_ID}-{number}", setting, spreads))
    return Plot(
        id=_ID,
        title=data.marked("How the runs scatter"),
        reading="Every timed run, in percent of its model's median. The box holds the middle "
        "half, its whiskers reach 1.5 boxes further, and what lies outside is drawn one by one. "
        "Of what is too far for the panel the number and the farthest are written at its edge.",
        keys=(
            Key("ink", "|", "p90: one run in ten is slower"),
            Key("ink", "D", "p99: one in a hundred"),
            Key("muted", "o", "single runs outside the whiskers"),
        ),
        panels=tuple(panels),
        missing="There are no timed runs.",
    )


def _spread(name: str, network: Network | None, model: ModelSummary) -> _Spread:
    middle = median(model.samples_ms)
    percent = 100 * (np.asarray(model.samples_ms) / middle - 1)
    p90 = 100 * (model.p90_ms / middle - 1) if model.p90_ms else 0.0
    p99 = 100 * (model.p99_ms / middle - 1) if model.p99_ms else p90
    return _Spread(name, network, percent, p90, p99, model.outliers)


def _panel(id: str, setting: Setting, spreads: Sequence[_Spread]) -> Panel:
    title = where(setting)

    def paint(axes: Axes) -> None:
        low, high = _limits(spreads)
        axes.set_xlim(low, high)
        for row, spread in enumerate(spreads):
            _row(axes, row, spread)
            _too_far(axes, row, spread)
        name_rows(axes, [spread.name for spread in spreads])
        few_ticks(axes)
        axes.set_xlabel("slower than the median (%)")

    drawing = draw(id, f"distribution of the runs, {title}", _FRAME + _ROW * len(spreads), paint)
    return Panel(title, drawing, _finding(spreads))


def _limits(spreads: Sequence[_Spread]) -> tuple[float, float]:
    """Wide enough for every p99 but for one that dwarfs the rest."""
    usual = 2.5 * median_low(spread.p99 for spread in spreads)
    high = max(min(spread.p99, usual) for spread in spreads)
    low = min(spread.whiskers[0] for spread in spreads)
    return min(low * 1.3, -_MIN_PERCENT), max(high * 1.3, _MIN_PERCENT)


def _row(axes: Axes, row: int, spread: _Spread) -> None:
    colour, ink = COLOURS[series_of(spread.network).colour], COLOURS["ink"]
    box, whiskers = spread.quartiles, spread.whiskers
    low, high = axes.get_xlim()
    inside = spread.beyond[(spread.beyond >= low) & (spread.beyond <= high)]
    axes.plot(
        inside,
        [row] * len(inside),
        color=COLOURS["muted"],
        marker="o",
        markersize=3,
        linestyle="none",
        alpha=0.6,
    )
    axes.plot(whiskers, [row, row], color=colour)
    axes.barh(row, box[1] - box[0], 0.5, box[0], color=COLOURS["ground"], edgecolor=colour, lw=1.5)
    axes.plot([0, 0], [row - 0.25, row + 0.25], color=colour, linewidth=2)
    for value, marker, size in ((spread.p90, "|", 11), (spread.p99, "D", 5)):
        if value <= high:
            axes.plot([value], [row], color=ink, marker=marker, markersize=size, mew=1.5)


def _too_far(axes: Axes, row: int, spread: _Spread) -> None:
    low, high = axes.get_xlim()
    notes = (
        (spread.percent[spread.percent > high], high, "right", "{} up to +{:.0f} % ▸"),
        (spread.percent[spread.percent < low], low, "left", "◂ {} down to -{:.0f} %"),
    )
    for values, edge, side, text in notes:
        if len(values):
            axes.annotate(
                text.format(len(values), float(np.abs(values).max())),
                (edge, row),
                (0, 7),
                textcoords="offset points",
                horizontalalignment=side,
                color=COLOURS["muted"],
                fontsize=9,
            )


def _finding(spreads: Sequence[_Spread]) -> str:
    widest = max(spreads, key=lambda spread: spread.p99)
    outliers = sum(spread.outliers for spread in spreads)
    runs = sum(len(spread.percent) for spread in spreads)
    return (
        f"{outliers} of {runs} runs are outliers; the longest tail is that of {widest.name}, "
        f"whose p99 is {widest.p99:.1f} % above its median."
    )
