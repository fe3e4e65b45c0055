"""Whether a process stands still, by what it says and the processor time that it uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.machine.standstill import (
    IDLE_SECONDS,
    SILENT_SECONDS,
    Standstill,
    processor_seconds,
)

LOOK = 2.0


class Watched:
    """A process, and who looks at it, on a clock that this sets.

    Who looks has used `own` seconds of a processor; as many as the process where None.
    """

    def __init__(
        self, used: float | None = 1.0, idle_seconds: float = 0.0, own: float | None = None
    ) -> None:
        self.now, self.used, self._own = 1000.0, used, own
        self.standstill = Standstill(
            1, idle_seconds, clock=lambda: self.now, used=self._processor_seconds
        )

    def _processor_seconds(self, process: int) -> float | None:
        return self._own if process == os.getpid() and self._own is not None else self.used

    def look(self, computed: float = 0.0, passed: float = LOOK) -> str | None:
        self.now += passed
        if self.used is not None:
            self.used += computed
        return self.standstill.reason()

    def looks_until_ended(self, seconds: float, computed: float = 0.0) -> float | None:
        """After how many seconds it is to be ended, if within `seconds`."""
        for number in range(1, int(seconds / LOOK) + 1):
            if self.look(computed):
                return number * LOOK
        return None


def test_one_that_does_nothing_is_ended_before_long() -> None:
    watched = Watched()
    after = watched.looks_until_ended(2 * IDLE_SECONDS)
    assert after == IDLE_SECONDS + LOOK
    assert "neither computed nor said" in (watched.look() or "")


def test_what_it_was_told_to_sleep_is_added() -> None:
    assert Watched(idle_seconds=30.0).looks_until_ended(200) == IDLE_SECONDS + 30.0 + LOOK


def test_one_that_computes_may_be_silent_for_long() -> None:
    watched = Watched()
    after = watched.looks_until_ended(2 * SILENT_SECONDS, computed=0.01)
    assert after == SILENT_SECONDS + LOOK
    assert "said nothing" in (watched.look() or "")


def test_one_that_was_stopped_before_its_first_tick_is_ended() -> None:
    assert Watched(0.0, own=0.2).looks_until_ended(200) == IDLE_SECONDS + LOOK


@pytest.mark.parametrize("used", [None, 0.0])
def test_where_the_time_is_not_known_silence_counts(used: float | None) -> None:
    assert Watched(used).looks_until_ended(2 * SILENT_SECONDS) == SILENT_SECONDS + LOOK


def test_what_passes_while_nobody_can_look_does_not_count() -> None:
    watched = Watched()
    assert watched.look(passed=10 * SILENT_SECONDS) is None


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_nobody_is_ended_who_does_something_in_time(events: list[tuple[bool, bool]]) -> None:
    watched = Watched()
    idle = 0.0
    for speaks, computes in events:
        if speaks:
            watched.standstill.heard()
        reason = watched.look(0.01 if computes else 0.0, passed=5.0)
        idle = 0.0 if computes else 5.0 if speaks else idle + 5.0
        assert (reason is not None) == (idle > IDLE_SECONDS)


def test_the_time_of_a_real_process() -> None:
    before = processor_seconds(os.getpid())
    assert before is not None
    while processor_seconds(os.getpid()) == before:
        sum(range(1000))
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    child.communicate(b"\n")
    assert processor_seconds(child.pid) is None  # it is over


def test_a_name_may_hold_anything(tmp_path: Path) -> None:
    stat = tmp_path / "proc/7/stat"
    stat.parent.mkdir(parents=True)
    ticks = os.sysconf("SC_CLK_TCK")
    stat.write_text(f"7 (a) S ) 9 (b) S {' '.join('0' * 10)} {3 * ticks} {ticks} 5\n")
    assert processor_seconds(7, tmp_path) == 4.0


@pytest.mark.parametrize("text", ["", "7 (a) S 1 2", "7 (a) S " + "x " * 20])
def test_nonsense_is_not_known(text: str, tmp_path: Path) -> None:
    stat = tmp_path / "proc/7/stat"
    stat.parent.mkdir(parents=True)
    stat.write_text(text)
    assert processor_seconds(7, tmp_path) is None
