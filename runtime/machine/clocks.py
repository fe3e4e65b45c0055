"""Clocks, which code that measures takes as arguments: the name tells the unit."""

from __future__ import annotations

from collections.abc import Callable

ClockNs = Callable[[], int]
"""Nanoseconds, never going back, such as `time.perf_counter_ns`."""
ClockSeconds = Callable[[], float]
"""Seconds, never going back, such as `time.monotonic`."""
