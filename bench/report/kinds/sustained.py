"""A sustained load for a person: its course, what it settles at, and what the processor did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from rich.console import Console

from shufflenet_deploy.bench.analysis.steady_state import steady_state
from shufflenet_deploy.bench.analysis.wording import MISSING, count, decimal, milliseconds
from shufflenet_deploy.bench.measure.alone.sustained import SustainedLoad
from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.presentation.terminal import drawn, show_lines, show_title
from shufflenet_deploy.runtime.command_line import print_table
from shufflenet_deploy.runtime.machine.state import hottest_c, is_throttled, used_frequencies
from shufflenet_deploy.runtime.worker.spec import Window

_ROWS = 12
_BARS = "▁▂▃▄▅▆▇█"
_COURSE = 60
"""How many columns the course has at most."""


def show(load: SustainedLoad, console: Console) -> None:
    """Print on `console` what became of `load`."""
    show_title(_title(load), console)
    print_table(drawn(_table(load)), console)
    console.print()
    show_lines([_course(load.windows), "", *_findings(load)], console)


def _title(load: SustainedLoad) -> str:
    threads = count(load.threads, "thread")
    minutes = decimal(_seconds(load) / 60, 1)
    where = load.environment.board or load.target.board
    return f"{load.model}, {load.engine} {load.engine_version}, {threads}, {minutes} min on {where}"


def _seconds(load: SustainedLoad) -> float:
    last = load.windows[-1]
    return last.seconds + last.runs * last.median_ns / 1e9


def _parts(windows: Sequence[Window], most: int) -> Iterator[Sequence[Window]]:
    """`windows` in at most so many stretches of equal length."""
    parts = min(most, len(windows))
    for index in range(parts):
        begin, end = (len(windows) * at // parts for at in (index, index + 1))
        yield windows[begin:end]


def _table(load: SustainedLoad) -> Table:
    columns = (
        Column("minute", words=True),
        Column("latency (ms)", "latency\nms"),
        Column("p90 (ms)", "p90\nms"),
        Column("inferences a second", "inferences\na second"),
        Column("hottest zone (°C)", "hottest\n°C"),
        Column("slowest core (MHz)", "slowest\nMHz"),
        Column("throttled"),
    )
    rows = tuple(_row(part, load.cores) for part in _parts(load.windows, _ROWS))
    return Table("course of the load", columns, rows)


def _row(part: Sequence[Window], cores: Sequence[int]) -> tuple[str, ...]:
    temperatures, frequencies, told = _readings(part, cores)
    latency = median(window.median_ns for window in part)
    return (
        decimal(part[0].seconds / 60, 1),
        milliseconds(latency / 1e6),
        milliseconds(median(window.p90_ns for window in part) / 1e6),
        decimal(1e9 / latency, 1),
        decimal(max(temperatures, default=None), 1),
        decimal(min(frequencies, default=None), 0),
        f"{sum(told)} of {len(told)}" if told else MISSING,
    )


def _readings(
    windows: Sequence[Window], cores: Sequence[int]
) -> tuple[list[float], list[float], list[bool]]:
    """The hottest zone, the slowest of `cores` and whether it was throttled, where that is told."""
    states = [window.state for window in windows]
    temperatures = [c for state in states if (c := hottest_c(state)) is not None]
    frequencies = [min(mhz) for state in states if (mhz := used_frequencies(state, cores))]
    told = [told for state in states if (told := is_throttled(state)) is not None]
    return temperatures, frequencies, told


def _course(windows: Sequence[Window]) -> str:
    """The latency as a line of bars, from nothing to its highest."""
    values = [median(window.median_ns for window in part) for part in _parts(windows, _COURSE)]
    highest = max(values)
    bars = (_BARS[min(7, int(8 * value / highest))] for value in values)
    return f"latency, 0 to {milliseconds(highest / 1e6)} ms: {''.join(bars)}"


def _findings(load: SustainedLoad) -> Iterator[str]:
    steady = steady_state(load.windows)
    if load.interrupted:
        yield f"interrupted, where {load.asked_seconds / 60:g} min were asked for"
    if steady is None:
        yield "too short to tell of a steady state: give some minutes"
    else:
        ms, change = milliseconds(steady.latency_ns / 1e6), steady.latency_ns / steady.first_ns
        yield (
            f"steady state: {ms} ms"
            f"{f', {change:.2f} times the first' if abs(change - 1) > 0.01 else ', as at first'}"
        )
        if steady.reached_seconds is None:
            yield (
                f"not reached: the last third still {'grows' if steady.drift > 0 else 'falls'}, by "
                f"{abs(steady.drift):.1%} from its first half to its second; give more minutes"
            )
        else:
            yield f"reached after {steady.reached_seconds / 60:.1f} min"
    yield from _machine(load)


def _machine(load: SustainedLoad) -> Iterator[str]:
    temperatures, frequencies, told = _readings(load.windows, load.cores)
    if temperatures:
        yield f"temperature: from {temperatures[0]:.1f} to {max(temperatures):.1f} °C"
    if frequencies:
        low, high = min(frequencies), max(frequencies)
        yield f"frequency: {low:g} MHz" + ("" if low == high else f" to {high:g} MHz")
    if told:
        first = next((w.seconds for w in load.windows if is_throttled(w.state)), None)
        yield (
            "throttled: never"
            if first is None
            else f"throttled: in {sum(told)} of {len(told)} readings, first after "
            f"{first / 60:.1f} min; a heat sink or a fan keeps the speed"
        )
    missing = [
        name
        for name, readings in (("temperature", temperatures), ("frequency", frequencies))
        if not readings
    ]
    if missing:
        yield f"the machine tells no {' and no '.join(missing)}"
