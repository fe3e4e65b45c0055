"""The memory that a process has needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shufflenet_deploy.runtime.machine.memory import needed_bytes, peak_memory_bytes
from shufflenet_deploy.runtime.manifest import Footprint

_MB = 10**6


def test_the_peak_is_the_largest_so_far_and_stays() -> None:
    before, during, after = _peaks(
        "from shufflenet_deploy.runtime.machine.memory import peak_memory_bytes as peak\n"
        "before = peak()\n"
        "ballast = b'x' * 200_000_000\n"
        "during = peak()\n"
        "del ballast\n"
        "print(before, during, peak())\n"
    )
    assert before < 100 * _MB
    assert 200 * _MB < during < before + 210 * _MB
    assert after == pytest.approx(during, abs=_MB)  # the system counts in coarse steps


def test_the_peak_is_not_that_of_the_parent() -> None:
    """As ru_maxrss would be."""
    ballast = b"x" * (200 * _MB)
    (child,) = _peaks(
        "from shufflenet_deploy.runtime.machine.memory import peak_memory_bytes;"
        "print(peak_memory_bytes())"
    )
    own = peak_memory_bytes()
    assert own is not None
    assert own > len(ballast)
    assert child < 100 * _MB


def test_a_model_needs_what_it_needed_where_it_was_exported() -> None:
    footprint = Footprint(load_time_ms=1.0, peak_memory_bytes=450 * _MB)
    assert needed_bytes(244 * _MB, footprint) == 450 * _MB


@pytest.mark.parametrize("footprint", [None, Footprint(load_time_ms=1.0, peak_memory_bytes=None)])
def test_where_nobody_measured_the_files_size_tells(footprint: Footprint | None) -> None:
    """AlexNet in fp32 took 519 MB, ShuffleNet 0.5x 85 MB."""
    assert needed_bytes(244 * _MB, footprint) == 588 * _MB
    assert needed_bytes(3 * _MB, footprint) == 106 * _MB


def _peaks(program: str) -> list[int]:
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return [int(number) for number in printed.stdout.split()]
