"""Wait before a burst until the core is as fast as it was seen to be.

On a virtual machine a neighbour on the other thread of the same core takes half of it for a tenth
of a second to some seconds at a time, and no sensor tells. What is timed meanwhile is set aside in
the end (`selection`); to wait for a moment makes that the smaller part. Cores have neighbours of
their own, so a process that may use several tries them in turn.

The wait is busy. A core that slept is slow by itself: its first pulse after 20 ms of sleep took up
to twice as long, so that a wait in naps did not see the full speed that it waited for.

Where the system tells its frequency there is no waiting: what slows such a board down, heat or too
little power, is what its user will see too.
"""

from __future__ import annotations

import bisect

from shufflenet_deploy.runtime.worker.instruments import Instruments
from shufflenet_deploy.runtime.worker.spec import FullSpeed

FASTEST = 0.1
"""The quantile of all pulses that shows what the core can do: the very fastest may be chance."""
_FIRST_PULSES = 20
_FAST_IN_A_ROW = 20
"""How many fast pulses end the wait, about 10 ms of them. A neighbour pauses for some pulses again
and again: of bursts that began after one fast pulse every third was slowed down before its timed
runs, 10 ms later."""
_PATIENCE_WITH_A_CORE_NS = 20_000_000
"""How long to stay on a slow core: long enough for one that slept to wake."""


class Waiting:
    """Pulses for one process's rounds, each after as much waiting as `full_speed` allows."""

    def __init__(self, full_speed: FullSpeed | None, instruments: Instruments) -> None:
        self._full_speed = full_speed
        self._instruments = instruments
        self._pulses: list[int] = []
        self.waited_ns = 0
        """Nanoseconds waited in all, which no round is charged with."""
        if full_speed:
            self._look_around()

    def _look_around(self) -> None:
        """Pulses on two cores, as the one may have a neighbour now."""
        for _ in range(_FIRST_PULSES):
            self.pulse()
        self._instruments.change_core()
        for _ in range(_FIRST_PULSES):
            self.pulse()

    def pulse(self) -> int:
        """How fast the core is, nanoseconds, without waiting."""
        pulse = self._instruments.pulse()
        bisect.insort(self._pulses, pulse)
        return pulse

    def wait(self) -> None:
        """Until the core is fast and stays so for a moment, or until patience has ended."""
        if self._full_speed is None:
            return
        began = self._instruments.clock()
        patience = self._full_speed.seconds * 1e9 - self.waited_ns
        elapsed = slow_since = fast = 0
        while fast < _FAST_IN_A_ROW and elapsed < patience:
            # Not kept: of so many slow ones the fastest tenth would soon be slow as well.
            pulse = self._instruments.pulse()
            elapsed = self._instruments.clock() - began
            if not self._is_slow(pulse, self._full_speed):
                fast += 1
                continue
            fast = 0
            if elapsed - slow_since > _PATIENCE_WITH_A_CORE_NS:
                self._instruments.change_core()
                slow_since = elapsed
        self.waited_ns += elapsed

    def _is_slow(self, pulse: int, full_speed: FullSpeed) -> bool:
        fast = self._pulses[int(FASTEST * len(self._pulses))]
        if full_speed.pulse_ns is not None:
            fast = min(fast, full_speed.pulse_ns)
        return pulse > full_speed.tolerance * fast
