"""Sizes as people write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.models.networks import parse_size
from shufflenet_deploy.runtime.errors import ModelsError


@given(height=st.integers(0, 99999), width=st.integers(0, 99999))
def test_sizes_are_height_times_width(height: int, width: int) -> None:
    assert parse_size(f"{height}x{width}") == (height, width)
    assert parse_size(str(height)) == (height, height)


@given(st.text(max_size=12).filter(lambda text: not re.fullmatch(r"[0-9]+(x[0-9]+)?", text)))
def test_any_other_text_is_refused_by_value(text: str) -> None:
    with pytest.raises(ModelsError) as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)
    assert caught.value.usage


@pytest.mark.parametrize(
    "text", ["", "x", "64px", "224x", "x9", "224X224", "-1", "224x2x3", "٣٢", "1e3"]
)
def test_near_misses_are_refused(text: str) -> None:
    with pytest.raises(ModelsError, match="is not a number of pixels"):
        parse_size(text)
