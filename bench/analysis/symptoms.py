"""Evidence that a machine was not at rest, or not the same, while it was measured.

Each function looks for one thing in the states and canaries of the runs, and tells in one line
where it was worst; None where it was not found, or where no sensor tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from operator import or_
from statistics import median
from typing import TypeVar

from shufflenet_deploy.bench.analysis.wording import count
from shufflenet_deploy.bench.results import Results, Timed
from shufflenet_deploy.runtime.machine.phone import THERMAL_STATUS
from shufflenet_deploy.runtime.machine.state import State, hottest_zone, other_load

FREQUENCY_TOLERANCE = 0.05
"""The share by which a core's clock may lie below its highest without a warning. A Pi's clock steps
are 6% and more; what governors and turbos jitter is less."""
CANARY_TOLERANCE = 0.05
"""The share by which the canary's median of five may grow without a warning: less than a step of a
Pi's clock. On a virtual machine whose host changes the clock it grows by 30% and more, which is no
false alarm: times grew as much."""
CANARY_SHARE = 0.2
"""The share of the runs in which the canary has to have become slower: a single one of many may
have met something that passed."""
OTHER_CORES = 0.25
"""The number of cores that other processes may keep busy without a warning. On a quiet machine they
need 0.01, the waiting host included; one busy neighbour needs 1, and 0.5 where it has to share a
core with the worker."""
LOAD_EXCESS = 0.5
"""How far the load average may exceed the worker's own threads without a warning, where processor
time is not told."""
MEMORY_SHARE = 0.1
"""The least share of the memory that should be available: with less, the system drops file caches,
then swaps or kills."""
CLIMB_C = 2.0
"""The rise in degrees Celsius from which on the temperature still climbs. Sensors of small boards
step by half a degree and jitter by one."""

_T = TypeVar("_T")
_THROTTLED = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
"""The meanings of bits 0 to 3 of `State.throttled`
(raspberrypi.com/documentation/computers/os.html)."""


def timed_runs(results: Results) -> list[Timed]:
    """The runs that have times, in their order."""
    return [run for run in results.runs if isinstance(run, Timed)]


def throttled(results: Results) -> str | None:
    """A Raspberry Pi's bits that were set in a run, or came up between two readings.

    Or the thermal status of a phone.
    """
    all_bits, during = _throttled_bits(results)
    if not during:
        return _thermal_status(results)
    readings = [[state.throttled or 0 for state in run.states] for run in timed_runs(results)]
    runs = sum(any(bits & 0xF for bits in run) for run in readings)
    when = _in_runs(runs, results) if runs else "between two readings"
    return f"{_bit_names(during)} while it was measured, {when} (bits {all_bits:#x})"


def _thermal_status(results: Results) -> str | None:
    worst = [
        max((state.thermal_status or 0 for state in run.states), default=0)
        for run in timed_runs(results)
    ]
    if not any(worst):
        return None
    name = THERMAL_STATUS[max(worst)]
    return f"the system's thermal status was {name}, {_in_runs(sum(map(bool, worst)), results)}"


def used_up_quota(results: Results) -> str | None:
    """Periods in which the worker stood still, since a container's quota was used up."""
    lost = []
    for run in timed_runs(results):
        counts = [state.throttled_periods for state in run.states]
        known = [value for value in counts if value is not None]
        lost.append(max(known) - min(known) if known else 0)
    if not any(lost):
        return None
    usable = results.environment.usable_cores
    of = f"of {usable:g} cores " if usable is not None else ""
    return (
        f"the quota {of}was used up in {max(lost)} periods of a run, "
        f"{_in_runs(sum(map(bool, lost)), results)}"
    )


def too_many_threads(results: Results) -> str | None:
    """More threads than cores that may be used, so that they wait for each other."""
    threads = max(results.parameters.threads, default=1)
    limits = [results.environment.usable_cores, len(results.parameters.cores) or None]
    usable = min((limit for limit in limits if limit is not None), default=None)
    if usable is None or threads <= usable:
        return None
    return f"{threads} threads were measured where {usable:g} cores may be used"


def throttled_before(results: Results) -> str | None:
    """A Raspberry Pi's bits that tell of the time since boot, and not of the runs."""
    all_bits, during = _throttled_bits(results)
    before = all_bits >> 16 & 0xF & ~during
    if not before:
        return None
    return f"{_bit_names(before)} since boot, but not while it was measured (bits {all_bits:#x})"


def _throttled_bits(results: Results) -> tuple[int, int]:
    """All bits that were ever set; those of 0 to 3 that were set or came up in the runs."""
    readings = [state.throttled for state in _states(results) if state.throttled is not None]
    if not readings:
        return 0, 0
    all_bits = reduce(or_, readings)
    came_up = all_bits & ~readings[0]
    return all_bits, (all_bits | came_up >> 16) & 0xF


def _bit_names(bits: int) -> str:
    return " and ".join(name for bit, name in enumerate(_THROTTLED) if bits >> bit & 1)


def low_frequency(results: Results) -> str | None:
    """A core below its maximum; where that is not told, below its own highest in the runs."""
    clocks = [list(_clocks(results, run)) for run in timed_runs(results)]
    limits: dict[int, float] = {}
    for core, mhz in (clock for run in clocks for clock in run):
        limits[core] = max(mhz, limits.get(core, 0.0))
    limits |= results.environment.maximum_mhz
    slowest = [min((mhz / limits[core], core, mhz) for core, mhz in run) for run in clocks if run]
    low = [reading for reading in slowest if reading[0] < 1 - FREQUENCY_TOLERANCE]
    if not low:
        return None
    _, core, mhz = min(low)
    return f"core {core} ran at {mhz:.0f} of {limits[core]:.0f} MHz, {_in_runs(len(low), results)}"


def _clocks(results: Results, run: Timed) -> Iterator[tuple[int, float]]:
    """The core whose clock says most of the worker's, and that clock, at each state but the first.

    At the first nothing has run yet. Threads that fill their cores wait for the slowest; fewer
    run on the fastest, since idle ones are clocked down.
    """
    for state in run.states[1:]:
        clocks = [(mhz, core) for core, mhz in _used(results, state.frequencies_mhz).items()]
        if clocks:
            mhz, core = min(clocks) if _threads(results, run) >= len(clocks) else max(clocks)
            yield core, mhz


def slower_canary(results: Results) -> str | None:
    """The same computation slower at the ends of runs, or in the last quarter of all runs."""
    times = [
        (median(run.canary.start_ns), median(run.canary.end_ns))
        for run in timed_runs(results)
        if run.canary and run.canary.start_ns and run.canary.end_ns
    ]
    if not times:
        return None
    slower = [end / start - 1 for start, end in times]
    fell = [share for share in slower if share > CANARY_TOLERANCE]
    quarter = max(1, len(times) // 4)
    drift = _middle(times[-quarter:]) / _middle(times[:quarter]) - 1
    if len(fell) >= CANARY_SHARE * len(times) and max(fell, default=0.0) >= drift:
        return (
            f"a fixed computation took up to {max(fell):.0%} longer at the end of a run than at "
            f"its start, {_in_runs(len(fell), results)}"
        )
    if drift > CANARY_TOLERANCE:
        return f"a fixed computation took {drift:.0%} longer in the last runs than in the first"
    return None


def _middle(times: list[tuple[float, float]]) -> float:
    return median(time for pair in times for time in pair)


def load(results: Results) -> str | None:
    """Other processes, or other virtual machines, that kept cores busy."""
    runs = [run for run in timed_runs(results) if run.states]
    cores = [other_load(run.states[0], run.states[-1]) for run in runs]
    busy = [number for number in cores if number is not None and number > OTHER_CORES]
    if busy:
        return (
            f"other processes kept up to {max(busy):.2f} cores busy, {_in_runs(len(busy), results)}"
        )
    excess = [
        average[0] - _threads(results, run)
        for run, known in zip(runs, cores, strict=True)
        if known is None and (average := run.states[-1].load_average)
    ]
    high = [surplus for surplus in excess if surplus > LOAD_EXCESS]
    if high:
        return (
            f"the load average was up to {max(high):.1f} above the threads that were measured, "
            f"{_in_runs(len(high), results)}"
        )
    return None


def short_memory(results: Results) -> str | None:
    """Less available memory than a system needs to leave files in its caches."""
    total = results.environment.total_memory_bytes
    if not total:
        return None
    minimum = [min(map(_available, run.states), default=total) for run in timed_runs(results)]
    short = [available for available in minimum if available < MEMORY_SHARE * total]
    if not short:
        return None
    return (
        f"only {min(short) / 1e6:.0f} of {total / 1e6:.0f} MB of memory were available, "
        f"{_in_runs(len(short), results)}"
    )


def _available(state: State) -> float:
    available = state.available_memory_bytes
    return float("inf") if available is None else available


def climbing(results: Results) -> str | None:
    """The zone that was hottest at the end still grew hotter in the last quarter of the time."""
    readings = [
        (run.start_seconds + state.seconds, state)
        for run in timed_runs(results)
        for state in run.states
    ]
    zone = next(
        (hottest_zone(state) for _, state in reversed(readings) if state.temperatures_c), None
    )
    if zone is None:
        return None
    series = [
        (seconds, state.temperatures_c[zone])
        for seconds, state in readings
        if zone in state.temperatures_c
    ]
    start, end = series[0][0], series[-1][0]
    half, quarter = (start + end) / 2, (start + 3 * end) / 4
    before = [c for seconds, c in series if half <= seconds < quarter]
    last = [c for seconds, c in series if seconds >= quarter]
    if min(len(before), len(last)) < 3 or median(last) - median(before) < CLIMB_C:
        return None
    return (
        f"{zone} still rose in the last quarter of the time, from {median(before):.1f} to "
        f"{median(last):.1f} degrees Celsius"
    )


def slow_governor(results: Results) -> str | None:
    """A governor that may lower a core's frequency."""
    cores: dict[str, set[int]] = {}
    for state in _states(results):
        for core, governor in _used(results, state.governors).items():
            if governor != "performance":
                cores.setdefault(governor, set()).add(core)
    governors = (
        f"{name} on core{'s' * (len(of_it) > 1)} {', '.join(map(str, sorted(of_it)))}"
        for name, of_it in cores.items()
    )
    return f"the governor is {' and '.join(governors)}" if cores else None


def missing_sensors(results: Results) -> str | None:
    """What no state of any run tells."""
    states = list(_states(results))
    tells: dict[str, Callable[[State], bool]] = {
        "frequency": lambda state: bool(state.frequencies_mhz),
        "temperature": lambda state: bool(state.temperatures_c),
        "throttling": lambda state: (state.throttled, state.thermal_status) != (None, None),
        "load": lambda state: state.busy_seconds is not None or state.load_average is not None,
        "memory": lambda state: state.available_memory_bytes is not None,
    }
    missing = [name for name, told in tells.items() if not any(map(told, states))]
    return f"this machine does not tell its {', '.join(missing)}" if states and missing else None


def _states(results: Results) -> Iterator[State]:
    return (state for run in timed_runs(results) for state in run.states)


def _threads(results: Results, run: Timed) -> int:
    return {block.id: block.threads for block in results.blocks}[run.block]


def _used(results: Results, of_core: Mapping[int, _T]) -> dict[int, _T]:
    """What belongs to cores on which workers may have run."""
    pinned = results.parameters.cores
    return {core: value for core, value in of_core.items() if core in pinned or not pinned}


def _in_runs(slow: int, results: Results) -> str:
    return f"in {slow} of {count(len(timed_runs(results)), 'run')}"
