"""Where the time of a network goes: operator by operator, measured by its engine's own profiler.

A profiler costs time itself, so the network runs without it too, in the same process and in
turns, and both times are told. How the engines differ:

- LiteRT's kernels are timed by XNNPACK, and what its profiler costs (see `litert_profiler`) falls
  between them. They sum up to less than the network's time, and the rest is called the engine's
  overhead.
- ONNX Runtime's profiler costs a quarter to a third of ShuffleNet's time, and some of that falls
  *into* each node's: its shapes are written out before the clock is stopped. The nodes then sum
  up to more than the network takes without a profiler, and the small ones are made to look
  important. What each has too much is about the same: 1.7 us in a chain of 110 tiny nodes, 2.1
  to 2.9 in ShuffleNet 1x. So the surplus is taken from all of them alike, `own_ns` is what is
  left, and shares are of that. Without it the 15 Gathers of ShuffleNet 1x fp32 read 3.0% of the
  time, with it 2.1%, and taking them out of the network made it 2.3% faster. On a machine with
  other work to do the surplus scatters (2 to 8 us here), which is why it is never more than the
  shortest operator's time.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from numpy.typing import NDArray

from shufflenet_deploy.runtime.engines import Profiler, Session, open_session, profiler_for
from shufflenet_deploy.runtime.engines.reasons import reason
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.machine.clocks import ClockNs
from shufflenet_deploy.runtime.profiling.profile import Profile, attribute
from shufflenet_deploy.runtime.profiling.trace import Trace

WARM_UP = 12
_UNTIMED, _TIMED = 3, 5
"""Untimed and timed runs of one session before the other has its turn; the untimed bring its
weights back into the caches."""


def profile(
    path: Path,
    threads: int,
    runs: int,
    inputs: Sequence[NDArray[Any]],
    clock: ClockNs = time.perf_counter_ns,
    engine: str | None = None,
) -> Profile:
    """Profile the network in `path` on `inputs`, an array for each that it takes.

    By the engine called `engine`, by default its format's first. At least `runs` runs under the
    profiler count, and as many without; the network is in memory twice meanwhile. Raises
    `InferenceError` where no engine takes the file or the inputs, or the engine offers no
    profiler.
    """
    if runs < 1:
        raise InferenceError(f"{runs} runs make no profile: ask for one or more", usage=True)
    session = open_session(path, threads, engine)
    with closing(profiler_for(path, engine)(path, threads)) as profiler:
        try:
            times = _measure(session, profiler, runs, inputs, clock)
        except InferenceError:
            raise
        except Exception as error:  # noqa: BLE001 - engines' exceptions share no other base
            raise InferenceError(
                f"{path} does not run on {session.engine}: {reason(error)}"
            ) from None
        trace = profiler.finish()
    if len(trace.runs_ns) != times.runs:
        raise InferenceError(
            f"{session.engine}'s profiler has {len(trace.runs_ns)} of {times.runs} runs of {path}: "
            "ask for fewer runs"
        )
    counted = tuple(trace.runs_ns[run] for run in times.counted)
    rest_ns = _rest(times.unprofiled_ns, [sum(run) for run in counted])
    surplus_ns, operators = attribute(Trace(trace.operators, counted), rest_ns)
    return Profile(
        engine=session.engine,
        engine_version=session.engine_version,
        artifact=str(path),
        threads=threads,
        runs=len(counted),
        total_ns=int(median(times.profiled_ns)),
        unprofiled_ns=int(median(times.unprofiled_ns)),
        profiler_ratio=_ratio(times.profiled_ns, times.unprofiled_ns),
        surplus_ns=surplus_ns,
        operators=operators,
    )


@dataclass
class _Times:
    unprofiled_ns: list[int] = field(default_factory=list)
    profiled_ns: list[int] = field(default_factory=list)
    runs: int = 0
    """How many runs there were under the profiler, timed or not."""
    counted: list[int] = field(default_factory=list)
    """The numbers, from 0, of the runs under the profiler that were timed."""


def _measure(
    session: Session,
    profiler: Profiler,
    runs: int,
    inputs: Sequence[NDArray[Any]],
    clock: ClockNs,
) -> _Times:
    """Run both in turns, a burst each, without pauses of the garbage collector."""
    times = _Times()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(-(-runs // _TIMED)):
            untimed = _UNTIMED if turn else WARM_UP
            for _ in range(untimed):
                session.run(*inputs)
            for _ in range(_TIMED):
                start = clock()
                session.run(*inputs)
                times.unprofiled_ns.append(clock() - start)
            for number in range(untimed + _TIMED):
                start = clock()
                profiler.run(*inputs)
                elapsed = clock() - start
                profiler.record()
                if number >= untimed:
                    times.profiled_ns.append(elapsed)
                    times.counted.append(times.runs)
                times.runs += 1
    finally:
        if collecting:
            gc.enable()
    return times


def _turns(times_ns: Sequence[int]) -> list[float]:
    """Each turn's median."""
    turns = range(0, len(times_ns), _TIMED)
    return [float(median(times_ns[turn : turn + _TIMED])) for turn in turns]


def _rest(unprofiled_ns: Sequence[int], sums_ns: Sequence[int]) -> float:
    """By how much a run without the profiler takes longer than the operators under it together.

    Turn by turn: a drift of the machine is in both. Negative where the profiler made the operators
    longer than they are.
    """
    turns = zip(_turns(unprofiled_ns), _turns(sums_ns), strict=True)
    return median(unprofiled - together for unprofiled, together in turns)


def _ratio(profiled_ns: Sequence[int], unprofiled_ns: Sequence[int]) -> float:
    turns = zip(_turns(profiled_ns), _turns(unprofiled_ns), strict=True)
    return median(profiled / max(unprofiled, 1.0) for profiled, unprofiled in turns)
