"""Motion JPEG: pictures one after the other, as cameras' programs write them to a pipe.

Where a picture ends is told by its markers alone (ITU-T T.81, annex B): thumbnails inside it have
ends of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from shufflenet_deploy.runtime.errors import InferenceError

MAX_BYTES = 64 << 20
"""The most bytes that one picture may have."""
_AT_ONCE = 1 << 16
_MARKER = 0xFF
_START, _END, _SCAN, _ALONE = 0xD8, 0xD9, 0xDA, 0x01
_RESTARTS = range(0xD0, 0xD8)


class Stream(Protocol):
    """What is read from: a pipe's other end may be slow, so no read waits to be full."""

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes, as soon as there are any; none at the end."""


def pictures(stream: Stream) -> Iterator[bytes]:
    """Each picture of `stream`, as soon as all of it has come.

    What stands between two pictures is passed over, a last one that is cut off left out. One with
    something else where a marker has to be ends there, for its decoder to refuse. Raises
    `InferenceError` for what is no JPEG at its beginning, and for one of more than `MAX_BYTES`.
    """
    reader = _Reader(stream)
    first = True
    while reader.find_start(first):
        end = _end(reader)
        if end is None:
            return
        yield reader.take(end)
        first = False


class _Reader:
    """The bytes of a stream from the beginning of the current picture on."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._bytes = bytearray()

    def has(self, count: int) -> bool:
        """Have `count` bytes, unless the stream ends before."""
        while len(self._bytes) < count:
            if len(self._bytes) > MAX_BYTES:
                raise InferenceError(
                    f"a picture of the stream has more than {MAX_BYTES >> 20} MB: it is no "
                    "Motion JPEG"
                )
            piece = self._stream.read1(_AT_ONCE)
            if not piece:
                return False
            self._bytes += piece
        return True

    def byte(self, place: int) -> int | None:
        """The byte at `place`; None behind the end of the stream."""
        return self._bytes[place] if self.has(place + 1) else None

    def find(self, value: int, place: int) -> int | None:
        """The first place from `place` on where `value` is; None where the stream ends before."""
        while True:
            found = self._bytes.find(value, place)
            if found >= 0:
                return found
            place = max(place, len(self._bytes))
            if not self.has(place + 1):
                return None

    def find_start(self, first: bool) -> bool:
        """Pass over what comes before the next picture, of which the `first` begins at once."""
        if first:
            if not self.has(2):
                return False
            if self._bytes[:2] != bytes((_MARKER, _START)):
                raise InferenceError(
                    "what comes through the pipe is no Motion JPEG: have the camera's program "
                    "write that, as rpicam-vid --codec mjpeg -o - does"
                )
            return True
        while (place := self.find(_MARKER, 0)) is not None:
            del self._bytes[:place]
            if self.byte(1) == _START:
                return True
            del self._bytes[:1]
        return False

    def take(self, end: int) -> bytes:
        """The bytes up to `end`, which are gone then."""
        taken = bytes(self._bytes[:end])
        del self._bytes[:end]
        return taken


def _end(reader: _Reader) -> int | None:
    """Where the picture at 0 ends, or is broken; None where the stream ends before."""
    place = 2
    while True:
        if (byte := reader.byte(place)) is None:
            return None
        if byte != _MARKER:
            return place
        while (marker := reader.byte(place + 1)) == _MARKER:
            place += 1  # any number of these may stand before a marker
        if marker is None:
            return None
        place += 2
        if marker == _END:
            return place
        if marker == _ALONE or marker in _RESTARTS:
            continue
        if not reader.has(place + 2):
            return None
        high, low = reader.byte(place), reader.byte(place + 1)
        place += (high or 0) << 8 | (low or 0)
        if marker == _SCAN:
            following = _behind_scan(reader, place)
            if following is None:
                return None
            place = following


def _behind_scan(reader: _Reader, place: int) -> int | None:
    """The place of the marker that ends compressed data; zeros and restarts belong to these."""
    while (found := reader.find(_MARKER, place)) is not None:
        following = reader.byte(found + 1)
        if following is None:
            return None
        if following not in (0, _MARKER) and following not in _RESTARTS:
            return found
        place = found + (1 if following == _MARKER else 2)
    return None
