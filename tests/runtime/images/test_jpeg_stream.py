"""Pictures out of a pipe: whole, in order, whatever comes in between and however it is cut up."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.images import jpeg_stream
from shufflenet_deploy.runtime.images.jpeg_stream import pictures


def jpeg(seed: int, **options: object) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 17, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def with_thumbnail() -> bytes:
    """A picture whose EXIF data hold another, with an end of its own."""
    exif = b"Exif\0\0" + jpeg(9)
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    whole = jpeg(8)
    return whole[:2] + segment + whole[2:]


KINDS = {
    "baseline": jpeg(1),
    "progressive": jpeg(2, progressive=True),
    "restarts": jpeg(3, restart_marker_blocks=1),
    "optimised": jpeg(4, optimize=True, quality=100),
    "thumbnail": with_thumbnail(),
}


class Slow:
    """A pipe from which little comes at once."""

    def __init__(self, content: bytes, at_once: int) -> None:
        self._file, self._at_once = io.BytesIO(content), at_once

    def read1(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._at_once))


@given(
    kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6),
    between=st.binary(max_size=6).filter(lambda junk: b"\xff\xd8" not in junk),
    at_once=st.integers(1, 3000),
)
def test_each_picture_comes_as_it_was(kinds: list[str], between: bytes, at_once: int) -> None:
    sent = [KINDS[kind] for kind in kinds]
    junk = between.rstrip(b"\xff")  # else the next picture's first byte would be taken for its own
    assert list(pictures(Slow(junk.join(sent), at_once))) == sent


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_one_that_is_cut_off_is_left_out(kind: str, data: st.DataObject) -> None:
    whole = KINDS[kind]
    end = data.draw(st.integers(2, len(whole) - 1))
    assert list(pictures(io.BytesIO(KINDS["baseline"] + whole[:end]))) == [KINDS["baseline"]]


@given(st.binary())
def test_any_bytes_end_in_pictures_or_a_line(content: bytes) -> None:
    whole: list[bytes] = []
    with suppress(InferenceError):
        whole += pictures(io.BytesIO(content))
    assert all(picture.startswith(b"\xff\xd8") for picture in whole)


def test_a_broken_one_does_not_take_the_next_along() -> None:
    first, second = KINDS["baseline"], KINDS["progressive"]
    broken, *rest = pictures(io.BytesIO(first[:2] + b"broken" + second))
    assert broken == first[:2]
    assert rest == [second]


def test_a_picture_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg_stream, "MAX_BYTES", 1 << 20)
    endless = KINDS["baseline"][:-2] + bytes(3 << 20)
    with pytest.raises(InferenceError, match="more than 1 MB"):
        list(pictures(io.BytesIO(endless)))
