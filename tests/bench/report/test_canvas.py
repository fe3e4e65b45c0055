from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree as ET

import matplotlib
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes

from shufflenet_deploy.bench.report.plots.canvas import COLOURS, draw, log_axis, name_rows, short


def a_drawing(name: str = "a", id: str = "one") -> str:
    def paint(axes: Axes) -> None:
        axes.plot([1, 2], [0, 1], "o-", color=COLOURS["series-1"])
        name_rows(axes, [name, "b"])

    return draw(id, name, 200, paint)


def test_colours_are_the_pages_own() -> None:
    drawing = a_drawing()
    assert "var(--series-1)" in drawing
    assert "var(--ink)" in drawing
    assert not re.search(r"#[0-9a-f]{6}", drawing)


def test_text_is_text_in_the_pages_font() -> None:
    drawing = a_drawing("a name")
    assert ">a name</text>" in drawing
    assert "font-family" not in drawing


def test_nothing_in_it_reaches_beyond_it() -> None:
    drawing = a_drawing()
    assert "<style" not in drawing
    assert "http" not in drawing
    ids = set(re.findall(r' id="([^"]*)"', drawing))
    used = re.findall(r'(?:url\(|href=")#([^")]*)', drawing)
    assert used
    assert set(used) <= ids
    assert all(one.startswith("one-") for one in ids)


def test_two_drawings_share_no_id() -> None:
    first, second = (set(re.findall(r' id="([^"]*)"', a_drawing(id=id))) for id in ("one", "two"))
    assert not first & second


def test_equal_input_gives_equal_bytes_whatever_the_users_settings() -> None:
    before = a_drawing()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        mine = dict(matplotlib.rcParams)
        assert a_drawing() == before
        assert dict(matplotlib.rcParams) == mine


def test_it_says_what_it_is_to_those_who_do_not_see_it() -> None:
    root = ET.fromstring(a_drawing('a "name" & <more>'))
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == root[0].get("id")
    assert root[0].text == 'a "name" & <more>'


@settings(max_examples=25)
@given(st.text(max_size=30))
def test_any_name_is_drawn_as_it_is(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        root = ET.fromstring(a_drawing(name))
    texts = [element.text or "" for element in root.iter("text")]
    assert short(name).strip() in [text.strip() for text in texts] or not short(name).strip()


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 1e5), st.floats(1, 1e4))
def test_a_logarithmic_axis_has_a_few_plain_numbers(minimum: float, factor: float) -> None:
    drawing = draw("a", "a", 200, lambda axes: log_axis(axes, "x", [minimum, minimum * factor]))
    root = ET.fromstring(drawing)
    upright = [text for text in root.iter("text") if "middle" in (text.get("style") or "")]
    assert 2 <= len(upright) <= 8
    assert all(float(text.text or "") > 0 for text in upright)


def test_a_long_name_is_shortened_in_its_middle() -> None:
    name = "begin-" + "x" * 100 + "-end"
    assert len(short(name)) == 24
    assert short(name).startswith("begin-")
    assert short(name).endswith("-end")
    assert short("a\nb\x00c") == "a b c"
