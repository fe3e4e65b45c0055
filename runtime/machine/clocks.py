"""Clocks, which code that measures takes as arguments: the name tells the unit."""

from __future__ import annotations

from collections.abc import Callable

ClockNs = Callable[[], int]
"""A clock in nanoseconds that never goes back, such as `time.perf_counter_ns`."""
ClockSeconds = Callable[[], float]
"""A clock in seconds that never goes back, such as `time.monotonic`."""
