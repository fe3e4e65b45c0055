"""Runs without pause for minutes: what a processor keeps up once it is warm."""

from __future__ import annotations

import gc
from collections.abc import Iterator

from shufflenet_deploy.runtime.worker.instruments import Instruments, Run, timed
from shufflenet_deploy.runtime.worker.spec import Progress, Window

MAX_WINDOWS = 600
"""Into so many windows a load is divided at most; of a short one each has a second."""
_MIN_NS = 10**9


def sustain(run: Run, seconds: float, instruments: Instruments) -> Iterator[Window]:
    """Run for `seconds`, and yield what each window of them had.

    Between two windows the machine's state is read, which is all of a pause that there is. A run
    that has begun is ended, so that a window is as long as its last run makes it.
    """
    clock, length_ns = instruments.clock, max(_MIN_NS, int(seconds * 1e9 / MAX_WINDOWS))
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        start = now = clock()
        while now - start < seconds * 1e9:
            began, samples = now, list[int]()
            progress = Progress(
                stage="sustained load", done=int((began - start) / 1e9), total=max(1, int(seconds))
            )
            instruments.report(progress)
            while not samples or now - began < length_ns:
                samples.append(timed(run, clock))
                now = clock()
            yield _window((began - start) / 1e9, samples, instruments)
            now = clock()
    finally:
        if collecting:
            gc.enable()


def _window(seconds: float, samples: list[int], instruments: Instruments) -> Window:
    ordered = sorted(samples)
    return Window(
        seconds=seconds,
        runs=len(ordered),
        median_ns=ordered[len(ordered) // 2],
        p90_ns=ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)],
        minimum_ns=ordered[0],
        maximum_ns=ordered[-1],
        state=instruments.state(),
    )
