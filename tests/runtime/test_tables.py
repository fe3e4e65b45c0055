"""Names in tables stay whole, however narrow the terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from shufflenet_deploy.runtime.command_line import print_table

NAME = "shufflenet-v1-g3-x1.0-224x224-fp32-7e5cf604.tflite"


def printed(names: list[str], width: int, figures: int = 5) -> str:
    table = Table("model", *(f"figure {number}" for number in range(figures)))
    for name in names:
        table.add_row(name, *["123.45"] * figures)
    stream = io.StringIO()
    print_table(table, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100])
def test_names_that_do_not_fit_stand_above(width: int) -> None:
    said = printed([NAME, f"other-{NAME}"], width)
    assert f"1: {NAME}\n2: other-{NAME}\n" in said
    assert said.count("tflite") == 2


def test_names_that_fit_stay_in_their_rows() -> None:
    said = printed([NAME], 200)
    assert "1: " not in said
    assert any(NAME in line and "123.45" in line for line in said.splitlines())


def test_short_names_stay_in_their_rows() -> None:
    assert "1: " not in printed(["fp32", "int8"], 40)


@given(
    names=st.lists(st.text("abc-._[]:0123456789", min_size=1, max_size=70), min_size=1, max_size=4),
    width=st.integers(30, 120),
)
def test_a_long_name_is_never_broken(names: list[str], width: int) -> None:
    said = printed(names, width)
    for name in names:
        if len(name) > 16:
            assert name in said or any(letter in name for letter in "[:")
