"""Rounds of bursts, in which models are timed.

Why bursts: models that run one after another, each in one long block, see a machine that
drifts, and their ratio with it. Models that alternate at each run see each other's caches.
Rounds of short bursts, in an order that is shuffled each time, see neither.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Sequence

from shufflenet_deploy.runtime.machine.clocks import ClockNs
from shufflenet_deploy.runtime.worker.full_speed import Waiting
from shufflenet_deploy.runtime.worker.instruments import Instruments, Run, timed
from shufflenet_deploy.runtime.worker.spec import Burst, Progress, Spec


def rounds(
    runs: Sequence[Run], spec: Spec, instruments: Instruments, between: Callable[[], None]
) -> Iterator[tuple[int, Burst]]:
    """Yield (index of the model, its burst) as they are measured.

    There are `spec.rounds` rounds, or fewer where one more, as long as the longest so far, would
    end later than `spec.seconds` after the first began; but never fewer than `min_rounds`.
    What they wait for full speed is not counted, and has a limit of its own. `between` is called
    before each round. The garbage collector rests meanwhile, as in timeit:
    its pauses are not the model's.
    """
    waiting = Waiting(spec.full_speed if spec.canary else None, instruments)
    order = list(range(len(runs)))
    shuffle = random.Random(spec.seed).shuffle
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in _numbers(spec, instruments, waiting):
            between()
            shuffle(order)
            for position, model in enumerate(order):
                yield model, _burst(runs[model], number, position, spec, instruments, waiting)
    finally:
        if collecting:
            gc.enable()


def _numbers(spec: Spec, instruments: Instruments, waiting: Waiting) -> Iterator[int]:
    """The number of each round that there is time for, from 0, reported before and at the end."""
    began = start = instruments.clock()
    longest = 0
    for number in range(spec.rounds + 1):
        instruments.report(Progress(stage="round", done=number, total=spec.rounds))
        now = instruments.clock() - waiting.waited_ns
        longest = max(longest, now - start)
        start = now
        over = spec.seconds is not None and now - began + longest > spec.seconds * 1e9
        if number == spec.rounds or (over and number >= spec.min_rounds):
            return
        yield number


def _burst(
    run: Run, number: int, position: int, spec: Spec, instruments: Instruments, waiting: Waiting
) -> Burst:
    if spec.rest_seconds:
        instruments.sleep(spec.rest_seconds)
    clock: ClockNs = instruments.clock
    waiting.wait()
    cold_ns = timed(run, clock) if spec.untimed else None
    for _ in range(spec.untimed - 1):
        run()
    # Beside what is timed: the untimed runs of a large network take a good part of a second.
    before = (waiting.pulse(),) if spec.canary else ()
    samples = tuple(timed(run, clock) for _ in range(spec.timed))
    after = (waiting.pulse(),) if spec.canary else ()
    return Burst(
        round=number,
        position=position,
        cold_ns=cold_ns,
        samples_ns=samples,
        pulses_ns=before + after,
    )
