"""Temperature, frequency and the canary over the time of the measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from shufflenet_deploy.bench.analysis.wording import number
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.plots import Key, Panel, Plot
from shufflenet_deploy.bench.report.plots.canvas import COLOURS, draw
from shufflenet_deploy.bench.results import Results, Timed
from shufflenet_deploy.runtime.machine.state import State, hottest_c, is_throttled, used_frequencies

_ID = "course"
_HEIGHT = 220


@dataclass(frozen=True)
class _Curve:
    """A reading over time."""

    minutes: list[float]
    values: list[float]
    style: tuple[str, str]
    """The curve's colour in `canvas.COLOURS`, and its line or marker as matplotlib names it."""


def course(data: ReportData) -> Plot:
    """What the device's sensors said, and how long the canary took."""
    results = data.results
    made = (_temperature(results), _frequency(results), _canary(results))
    panels = [panel for panel in made if panel]
    return Plot(
        id=_ID,
        title=data.marked("Temperature and frequency over time"),
        reading=" ".join(["Minutes since the measurement began.", *_missing_sensors(results)]),
        keys=(
            Key("series-2", "-", "hottest zone; slowest core; canary at the end of a process"),
            Key("series-1", "--", "fastest core; canary at the start of one"),
            Key("ink", "x", "throttled at that moment"),
        )
        if panels
        else (),
        panels=tuple(panels),
        missing=" ".join(_missing_sensors(results)) or "There are no readings.",
    )


def _missing_sensors(results: Results) -> Iterator[str]:
    states = [state for _, state in _states(results)]
    missing = [
        name
        for name, is_told in (
            ("temperature", any(state.temperatures_c for state in states)),
            ("frequency", any(state.frequencies_mhz for state in states)),
        )
        if not is_told
    ]
    if missing:
        yield f"The machine tells no {' and no '.join(missing)}."


def _states(results: Results) -> Iterator[tuple[float, State]]:
    """Every reading with its minute."""
    for run in results.runs:
        if isinstance(run, Timed):
            for state in run.states:
                yield (run.start_seconds + state.seconds) / 60, state


def _temperature(results: Results) -> Panel | None:
    readings = [
        (minute, temperature)
        for minute, state in _states(results)
        if (temperature := hottest_c(state)) is not None
    ]
    if not readings:
        return None
    minutes = [minute for minute, _ in readings]
    values = [value for _, value in readings]
    finding = (
        f"The hottest zone begins at {number(values[0])} °C and ends at {number(values[-1])} °C; "
        f"the highest reading is {number(max(values))} °C."
    )
    curve = _Curve(minutes, values, ("series-2", "-"))
    return _panel("temperature", "°C", finding, [curve])


def _frequency(results: Results) -> Panel | None:
    pinned = results.parameters.cores
    curve: list[tuple[float, list[float], State]] = []
    for minute, state in _states(results):
        mhz = used_frequencies(state, pinned)
        if mhz:
            curve.append((minute, mhz, state))
    if not curve:
        return None
    minutes = [minute for minute, _, _ in curve]
    slowest, fastest = ([end(mhz) for _, mhz, _ in curve] for end in (min, max))
    throttled = [(minute, min(mhz)) for minute, mhz, state in curve if is_throttled(state)]
    low, high = min(slowest), max(fastest)
    finding = f"{low:g} MHz throughout." if low == high else f"Between {low:g} and {high:g} MHz."
    if any((state.throttled, state.thermal_status) != (None, None) for _, _, state in curve):
        finding += f" {len(throttled)} of {len(curve)} readings say that it was throttled."
    curves = [
        _Curve(minutes, fastest, ("series-1", "--")),
        _Curve(minutes, slowest, ("series-2", "-")),
        _Curve([minute for minute, _ in throttled], [mhz for _, mhz in throttled], ("ink", "x")),
    ]
    which = f"cores {', '.join(map(str, pinned))}" if pinned else "all cores"
    return _panel("frequency", "MHz", finding, curves, which)


def _canary(results: Results) -> Panel | None:
    runs = [run for run in results.runs if isinstance(run, Timed) and run.canary and run.states]
    starts = [(run, run.canary.start_ns) for run in runs if run.canary and run.canary.start_ns]
    ends = [(run, run.canary.end_ns) for run in runs if run.canary and run.canary.end_ns]
    medians = [median(times) for _, times in (*starts, *ends)]
    if not medians:
        return None
    best = min(medians)
    curves = [
        _Curve(
            [(run.start_seconds + run.states[at].seconds) / 60 for run, _ in timed],
            [median(times) / best for _, times in timed],
            style,
        )
        for timed, at, style in (
            (starts, 0, ("series-1", "--")),
            (ends, -1, ("series-2", "-")),
        )
    ]
    finding = (
        f"The fixed kernel took at most {number(max(medians) / best)} times as long as at best: "
        "where it grows, the processor has become slower."
    )
    return _panel("canary", "times its best", finding, curves)


def _panel(name: str, unit: str, finding: str, curves: Sequence[_Curve], which: str = "") -> Panel:
    def paint(axes: Axes) -> None:
        for curve in curves:
            colour, style = curve.style
            axes.plot(curve.minutes, curve.values, style, color=COLOURS[colour])
        axes.margins(y=0.15)
        axes.ticklabel_format(useOffset=False, style="plain")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel("time (minutes)")
        axes.set_ylabel(f"{name} ({unit})")

    title = f"{name}, {which}" if which else name
    return Panel(title, draw(f"{_ID}-{name}", f"{title} over time", _HEIGHT, paint), finding)
