"""The memory that a process has needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shufflenet_deploy.runtime.memory import peak_memory_bytes

_MB = 10**6


def test_the_peak_is_the_largest_so_far_and_stays() -> None:
    before, during, after = _peaks(
        "from shufflenet_deploy.runtime.memory import peak_memory_bytes as peak\n"
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
        "from shufflenet_deploy.runtime.memory import peak_memory_bytes; print(peak_memory_bytes())"
    )
    own = peak_memory_bytes()
    assert own is not None
    assert own > len(ballast)
    assert child < 100 * _MB


def _peaks(program: str) -> list[int]:
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return [int(number) for number in printed.stdout.split()]
