"""The plugin's readings, and what ran between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from statistics import median_low

from shufflenet_deploy.bench.counted import CacheCounts, Caches, Counted
from shufflenet_deploy.runtime.errors import BenchError


@dataclass(frozen=True)
class Reading:
    """A line of the plugin: totals since the program began, or the difference of two."""

    instructions: int
    """Instructions of the thread that asked for the reading."""
    instructions_of_others: int
    accesses: int
    l1_misses: int
    l2_misses: int

    def since(self, before: Reading) -> Reading:
        """What was between `before` and this."""
        return Reading(
            *(now - then for now, then in zip(astuple(self), astuple(before), strict=True))
        )


def parse(text: str) -> list[Reading]:
    """All readings of a file. Raises `BenchError` for what the plugin would not write."""
    readings = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split(" ")
        if len(words) != 5 or not all(word.isascii() and word.isdigit() for word in words):
            raise BenchError(f"line {number} of the counting plugin is no reading: {line[:80]!r}")
        readings.append(Reading(*map(int, words)))
    return readings


def between(
    readings: Sequence[Reading], empty: int, inferences: int, caches: Caches | None
) -> Counted:
    """One inference, of `readings` in pairs: around nothing, then around an inference.

    Raises `BenchError` where there are fewer or more of them, or nothing was counted.
    """
    if len(readings) != 2 * (empty + inferences):
        raise BenchError(
            f"the counting plugin made {len(readings)} readings where "
            f"{2 * (empty + inferences)} were asked for"
        )
    pairs = [after.since(before) for before, after in list(pairwise(readings))[::2]]
    instructions = _net([reading.instructions for reading in pairs], empty)
    # Now and then ONNX Runtime has a thread do something that is no inference's, by the clock.
    others = median_low([reading.instructions_of_others for reading in pairs[empty:]])
    accesses = _net([reading.accesses for reading in pairs], empty)
    if min(instructions) <= 0 or (caches and min(accesses) <= 0):
        raise BenchError("the counting plugin saw nothing of an inference: QEMU did not call it")
    middle = median_low(instructions) + others
    return Counted(
        instructions=middle,
        spread=(max(instructions) - min(instructions)) / middle,
        cache=CacheCounts(
            accesses=median_low(accesses),
            l1_misses=median_low(_net([reading.l1_misses for reading in pairs], empty)),
            l2_misses=median_low(_net([reading.l2_misses for reading in pairs], empty)),
            caches=caches,
        )
        if caches
        else None,
    )


def _net(values: Sequence[int], empty: int) -> list[int]:
    """What inferences took without the marks around them, of which `empty` stand alone.

    Not below 0: the marks themselves may miss once where the inference finds their lines warm.
    """
    marks = median_low(values[:empty])
    return [max(0, value - marks) for value in values[empty:]]
