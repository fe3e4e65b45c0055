"""A fixed piece of work that needs nothing but the core: where it takes longer, the core is slower.

A processor that has grown hot or runs at another frequency says so in its sensors, where it has
any. This says it on every device, and it also sees what no sensor shows: a neighbour on the same
core, a hypervisor that takes time away.

The work is the same arithmetic everywhere, single precision multiplications and additions over an
array that lies in the smallest first-level caches in use (16 of 32 kB), so its time follows the
core's clock and not the memory's. Its values converge to 2: neither infinities nor denormal
numbers, which some cores compute slower.

Times of different devices are not comparable, those of one device and one installation are. What
to compare is the median of the repetitions: a single one may hit an interrupt. The minimum would
be steadier, and blind to what is looked for here: a core that is taken away for half of the time
still reaches its minimum now and then. How steady: on a shared x86-64 machine with as many busy
processes as cores, medians of five within 15 seconds had a standard deviation of 9 to 26%, minima
one of 4 to 31%; with twice as many, medians had 31 to 63%. That is what a canary is for; how
little they differ on a board with nothing else to do was not measured.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

REPETITIONS = 5
_SIZE = 4096
_HALF, _ONE = np.array(0.5, np.float32), np.array(1.0, np.float32)
_LINE = 64  # bytes
_ROUNDS = 3000  # about 10 ms on a core of 2 GHz
_PULSE_ROUNDS = 300


def canary(clock: Callable[[], int], repetitions: int = REPETITIONS) -> tuple[int, ...]:
    """Do the work `repetitions` times, after once untimed; nanoseconds of each on `clock`."""
    values = _aligned(_SIZE)
    values.fill(1.0)
    _work(values, _ROUNDS)  # brings the array into the cache and wakes the core
    times = []
    for _ in range(repetitions):
        start = clock()
        _work(values, _ROUNDS)
        times.append(clock() - start)
    return tuple(times)


def pulse(clock: Callable[[], int]) -> Callable[[], int]:
    """What does a tenth of the work once, whenever it is called, and tells its nanoseconds.

    Short enough to stand beside the timed runs of each burst. A core that a neighbour takes half of
    changes within seconds, and the canary before and after all rounds is too far from most of them.

    Done in two halves, of which the faster counts twice. A single interrupt lengthens one of them:
    the tick of a virtual machine's clock took 20 to 60 microseconds every 3 or 4 milliseconds, up
    to a quarter of a pulse there, and bursts beside it were no slower than others.
    """
    values = _aligned(_SIZE)
    values.fill(1.0)

    def half() -> int:
        start = clock()
        _work(values, _PULSE_ROUNDS // 2)
        return clock() - start

    def once() -> int:
        _work(values, _PULSE_ROUNDS // 10)  # the array may have left the cache
        return 2 * min(half(), half())

    return once


def _aligned(size: int) -> Floats:
    """An array that begins with a cache line.

    One that does not took up to 1.2 times as long, and where numpy's begin differs from process
    to process.
    """
    spare = _LINE // 4
    buffer = np.empty(size + spare, np.float32)
    start = -buffer.ctypes.data % _LINE // 4
    return buffer[start : start + size]


def _work(values: Floats, rounds: int) -> None:
    for _ in range(rounds):
        np.multiply(values, _HALF, out=values)
        np.add(values, _ONE, out=values)
