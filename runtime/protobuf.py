"""Read a protocol buffer without its schema's code, which no device has.

A message is a sequence of fields, each a number and a payload, of which unknown ones are skipped
(https://protobuf.dev/programming-guides/encoding). What is read is a file in memory: payloads are
told by where they are, so that weights of a gigabyte cost nothing.

Raises ValueError or IndexError for what is no protocol buffer, or was cut off.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

Span = tuple[int, int]
"""Where a payload begins in the file, and where it ends."""

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


def fields(data: mmap.mmap, span: Span) -> Iterator[tuple[int, int | Span]]:
    """The fields of the message in `span`: number, and its integer or where its bytes are."""
    position, end = span
    while position < end:
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if not number:  # as in a file of zeros, which would be read to its end
            raise ValueError("a field without a number")
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield number, value
        elif kind == _BYTES:
            length, position = _varint(data, position)
            if position + length > end:
                raise ValueError("a field that is longer than its message")
            yield number, (position, position + length)
            position += length
        elif kind in (_FIXED_32, _FIXED_64):
            position += 4 if kind == _FIXED_32 else 8
        else:
            raise ValueError(f"a field of the unknown type {kind}")


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    """The integer at `position`, seven bits a byte, and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("an integer of more than 64 bits")


def spans(data: mmap.mmap, span: Span, number: int) -> Iterator[Span]:
    """Where the payloads of the fields `number` of the message in `span` are, in their order."""
    for field, value in fields(data, span):
        if field == number and isinstance(value, tuple):
            yield value


def integers(data: mmap.mmap, span: Span, number: int) -> tuple[int, ...]:
    """A repeated integer's values, which may be packed into one field."""
    values: list[int] = []
    for field, value in fields(data, span):
        if field != number:
            continue
        if isinstance(value, int):
            values.append(value)
            continue
        position, end = value
        while position < end:
            integer, position = _varint(data, position)
            values.append(integer)
    return tuple(values)


def text(data: mmap.mmap, span: Span, number: int) -> str:
    """The string in the field `number` of the message in `span`; empty where there is none."""
    return next((decoded(data, part) for part in spans(data, span, number)), "")


def decoded(data: mmap.mmap, span: Span) -> str:
    """The payload in `span` as text; what is no UTF-8 in it is replaced."""
    return data[span[0] : span[1]].decode(errors="replace")
