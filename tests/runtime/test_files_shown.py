"""Names of files that are no UTF-8: shown, and found again by what was shown."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.files import named, shown


@given(
    st.binary(min_size=1, max_size=30).filter(lambda name: b"/" not in name and b"\0" not in name)
)
def test_what_is_shown_is_utf8_and_leads_back(name: bytes) -> None:
    path = os.fsdecode(name)
    text = shown(path)
    assert text.encode() is not None
    if b"\\" not in name:  # with one a name may look like another that is escaped
        assert named(text) == Path(path)


def test_a_path_that_is_there_is_taken_as_it_is(tmp_path: Path) -> None:
    odd = tmp_path / "caf\\xe9"
    odd.touch()
    assert named(str(odd)) == odd


@given(st.text(st.characters(codec="utf-8")))
def test_utf8_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text
