"""A load without pause on a fake clock."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_machine import FakeMachine
from shufflenet_deploy.runtime.worker.spec import Window
from shufflenet_deploy.runtime.worker.sustained import MAX_WINDOWS, sustain


@pytest.fixture(autouse=True, scope="module")
def quick_collections() -> Iterator[None]:
    gc.freeze()
    yield
    gc.unfreeze()


def windows_of(machine: FakeMachine, seconds: float, *run_ns: int) -> list[Window]:
    """Of runs that take as many nanoseconds each, over and over."""
    durations = iter(int(ns) for _ in range(10**6) for ns in run_ns)

    def run() -> None:
        machine.now += next(durations)

    return list(sustain(run, seconds, machine.instruments()))


def test_each_window_is_a_second_of_runs() -> None:
    machine = FakeMachine()
    machine.temperatures = iter([50.0, 60.0, 70.0])
    windows = windows_of(machine, 3, 100_000_000, 300_000_000)
    # 0.1 and 0.3 s in turns; a window ends with the run that fills its second.
    assert [window.runs for window in windows] == [6, 6, 6]
    assert [window.seconds for window in windows] == pytest.approx([0, 1.2, 2.4])
    assert {window.minimum_ns for window in windows} == {100_000_000}
    assert {window.maximum_ns for window in windows} == {300_000_000}
    assert [window.state.temperatures_c["cpu"] for window in windows] == [50.0, 60.0, 70.0]


def test_the_machine_is_read_only_between_windows() -> None:
    machine = FakeMachine()
    windows_of(machine, 2, 250_000_000)
    assert machine.done == ["state", "state"]


def test_a_long_load_has_so_many_windows_and_no_more() -> None:
    windows = windows_of(FakeMachine(), 7200, 500_000_000)
    assert len(windows) <= MAX_WINDOWS
    assert sum(window.runs for window in windows) == 14_400


@given(
    seconds=st.floats(0.1, 30),
    run_ns=st.lists(st.integers(1_000_000, 5 * 10**9), min_size=1, max_size=5),
)
def test_no_time_is_lost(seconds: float, run_ns: list[int]) -> None:
    machine = FakeMachine()
    began = machine.now
    windows = windows_of(machine, seconds, *run_ns)
    assert windows
    assert machine.now - began >= seconds * 1e9
    # It ends with the run that was under way.
    assert machine.now - began <= max(seconds, windows[-1].seconds + 1) * 1e9 + max(run_ns)
    assert [window.seconds for window in windows] == sorted(window.seconds for window in windows)
    for window in windows:
        assert window.minimum_ns <= window.median_ns <= window.p90_ns <= window.maximum_ns


def test_collections_are_as_before_where_it_is_interrupted(collecting: bool) -> None:
    machine = FakeMachine()

    def run() -> None:
        assert not gc.isenabled()
        machine.now += 600_000_000
        if machine.now > 3 * 10**9:
            raise KeyboardInterrupt

    done: list[Window] = []
    with pytest.raises(KeyboardInterrupt):
        done += sustain(run, 60, machine.instruments())
    assert gc.isenabled() == collecting
