from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.bench.counted import Counted
from shufflenet_deploy.bench.emulation.processors import PROCESSORS
from shufflenet_deploy.bench.emulation.readings import Reading, between, parse
from shufflenet_deploy.runtime.errors import BenchError

CACHES = PROCESSORS["cortex-a72"].caches
NUMBERS = st.integers(0, 2**64 - 1)


def file_of(steps: list[tuple[int, int, int, int, int]]) -> list[Reading]:
    """Readings whose differences, one by one, are `steps`."""
    totals = accumulate(steps, lambda one, other: tuple(map(sum, zip(one, other, strict=True))))
    return [Reading(*total) for total in totals]


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)))
def test_what_the_plugin_writes_is_read(rows: list[tuple[int, ...]]) -> None:
    text = "".join(" ".join(map(str, row)) + "\n" for row in rows)
    assert parse(text) == [Reading(*row) for row in rows]


@given(st.text(min_size=1))
def test_text_with_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BenchError) as raised:
        parse(f"1 2 3 4 5\n{text}?\n")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["1 2 3 4\n", "1 2 3 4 5 6\n", "1 2 3 4 -5\n", "1 2 3 4 \u0665\n", "\n"]
)
def test_a_line_that_is_no_reading_is_named(text: str) -> None:
    with pytest.raises(BenchError, match=r"^line 2 of the counting plugin"):
        parse("1 2 3 4 5\n" + text)


def test_what_the_marks_cost_is_taken_away() -> None:
    gap, mark = (9, 9, 9, 9, 9), (10, 0, 4, 2, 1)
    runs = [(1010, 0, 104, 12, 3), (1013, 0, 104, 12, 3), (1012, 0, 104, 13, 3)]
    readings = file_of([gap, mark, gap, mark, gap, runs[0], gap, runs[1], gap, runs[2]])
    found = between(readings, 2, 3, CACHES)
    assert found.instructions == 1002
    assert found.spread == pytest.approx(3 / 1002)
    assert found.cache
    assert (found.cache.accesses, found.cache.l1_misses, found.cache.l2_misses) == (100, 10, 2)
    assert found.cache.caches == CACHES
    assert between(readings, 2, 3, None) == Counted(instructions=1002, spread=3 / 1002)


def test_threads_that_always_take_part_count_and_one_that_does_once_does_not() -> None:
    gap, mark = (0, 0, 0, 0, 0), (10, 0, 0, 0, 0)
    once = [(1010, 0, 0, 0, 0), (1010, 5000, 0, 0, 0), (1010, 0, 0, 0, 0)]
    always = [(1010, 400, 0, 0, 0)] * 3
    for runs, expected in ((once, 1000), (always, 1400)):
        steps = [gap, mark, gap, runs[0], gap, runs[1], gap, runs[2]]
        assert between(file_of(steps), 1, 3, None).instructions == expected


def test_a_file_of_another_length_is_refused() -> None:
    with pytest.raises(BenchError, match="made 2 readings where 4 were asked for"):
        between(file_of([(1, 0, 0, 0, 0)] * 2), 1, 1, None)


def test_an_inference_without_instructions_or_accesses_is_no_count() -> None:
    idle = file_of([(5, 0, 0, 0, 0)] * 4)
    with pytest.raises(BenchError, match="saw nothing"):
        between(idle, 1, 1, None)
    without = file_of([(0, 0, 0, 0, 0), (5, 0, 0, 0, 0), (0, 0, 0, 0, 0), (50, 0, 0, 0, 0)])
    assert between(without, 1, 1, None).instructions == 45
    with pytest.raises(BenchError, match="saw nothing"):
        between(without, 1, 1, CACHES)
