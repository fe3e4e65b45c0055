"""The processor's peak, on a clock that only goes on when it is looked at."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator

from shufflenet_deploy.runtime.machine.peak import SIZE, peak_multiply_adds_per_second


def test_it_is_the_best_product() -> None:
    # The end; then start and stop of each product, and whether to go on.
    times: Iterator[int] = iter([0, 10, 40, 50, 60, 70, 80, 90, 130, 10**9])
    assert peak_multiply_adds_per_second(lambda: next(times), 1e-7) == SIZE**3 / 10 * 1e9


def test_one_product_is_measured_however_little_time_there_is() -> None:
    count = itertools.count(0, 1000)
    assert peak_multiply_adds_per_second(lambda: next(count), 0.0) == SIZE**3 / 1000 * 1e9


def test_a_clock_that_stands_still_is_no_error() -> None:
    count = itertools.count()
    assert peak_multiply_adds_per_second(lambda: next(count) // 1000, 0.0) > 0


def test_it_keeps_to_its_time() -> None:
    looks = itertools.count(0, 10_000_000)
    times = []

    def clock() -> int:
        times.append(next(looks))
        return times[-1]

    peak_multiply_adds_per_second(clock, 0.5)
    products, after = divmod(len(times) - 1, 3)  # start and stop of each, and whether to go on
    assert (products, after) == (17, 0)
    assert times[-4] < 500_000_000 <= times[-1]


def test_a_real_clock_gives_a_real_peak() -> None:
    peak = peak_multiply_adds_per_second(time.perf_counter_ns, 0.0)
    assert 0 < peak < math.inf
