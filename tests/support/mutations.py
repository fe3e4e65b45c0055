"""Strategies that damage what is right: documents in their meaning, files in their bytes."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FUZZ = int(os.environ.get("FUZZ", "1"))
"""How many times as many examples are tried as in every run; ``make fuzz`` sets it, and a seed."""

_DEEP: Any = json.loads("[" * 200 + "]" * 200)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 10**6, 2**31, 2**63, -(2**63), 10**30),
    *(0.5, 1e308, -1e308, 1e-320, "", "x", "x" * 5000, "\x1b]0;pwn\x07", "\x00", "[/x]", "=1+1"),
    *("../../etc/passwd", "é\udc80", [], {}, [[]], {"": None}, [None] * 50, _DEEP),
)
_FACTORS = (-1, 0, 0.5, 2, 3, 1000, 10**9)
_WAYS = ("number", "number", "number", "other", "other", "value", "remove", "repeat", "unknown")
"""How a value is altered: mostly so that the document can still be read."""
_PLACES = ("flip", "flip", "number", "zero", "cut", "repeat", "end", "random")
_NUMBERS = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80")


def fuzzed(examples: int) -> settings:
    """As many examples of a test, always the same ones unless `FUZZ` asks for more."""
    return settings(
        max_examples=examples * FUZZ,
        derandomize=FUZZ == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


class Changed:
    """A document in which values were altered, and for whom a test fails, which."""

    def __init__(self, document: Any, changes: list[str]) -> None:
        self.document, self._changes = document, changes

    def __repr__(self) -> str:
        return "; ".join(self._changes)

    def encoded(self) -> bytes:
        """As JSON, in whatever bytes: half of a pair of surrogates is no UTF-8."""
        return encoded(self.document)


@st.composite
def changed(draw: st.DrawFn, original: Callable[[], Any]) -> Changed:
    """The document that `original` returns, as JSON has it, with one to four values altered.

    A function, since Hypothesis shows what a strategy is made of.
    """
    whole = copy.deepcopy(original())
    changes = []
    for _ in range(draw(st.integers(1, 4))):
        holder, path = whole, ""
        while holder:
            key = draw(st.sampled_from(_keys(holder)))
            path += f".{key}"
            inner = holder[key]
            # Deeper more often than not: most of a document lies below.
            if not (isinstance(inner, dict | list) and inner) or draw(st.integers(0, 4)) == 0:
                before = repr(inner)[:60]
                _alter(draw, holder, key)
                changes.append(f"{path}: {before} -> {_value(holder, key)[:60]}")
                break
            holder = inner
    return Changed(whole, changes)


def _keys(holder: Any) -> list[Any]:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))


def _value(holder: Any, key: Any) -> str:
    return repr(holder[key]) if key in _keys(holder) else "removed"


def _alter(draw: st.DrawFn, holder: Any, key: Any) -> None:
    way = draw(st.sampled_from(_WAYS))
    inner = holder[key]
    if way == "number" and isinstance(inner, int | float) and not isinstance(inner, bool):
        holder[key] = type(inner)(inner * draw(st.sampled_from(_FACTORS)))
    elif way == "other":  # one of its neighbours
        holder[key] = copy.deepcopy(holder[draw(st.sampled_from(_keys(holder)))])
    elif way == "remove":
        del holder[key]
    elif way == "repeat" and isinstance(inner, list) and inner:
        inner.append(copy.deepcopy(draw(st.sampled_from(inner))))
    elif way == "unknown" and isinstance(holder, dict):
        unknown = draw(st.sampled_from(("unknown", "version", "type", "\x1b[2J")))
        holder[unknown] = copy.deepcopy(draw(st.sampled_from(_VALUES)))
    else:
        holder[key] = copy.deepcopy(draw(st.sampled_from(_VALUES)))


def encoded(document: Any) -> bytes:
    """`document` as JSON, in whatever bytes."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


class Damaged:
    """Bytes that were altered, and for whom a test fails, where."""

    def __init__(self, data: bytes, places: list[str]) -> None:
        self.data, self._places = data, places

    def __repr__(self) -> str:
        return "; ".join(self._places)


@st.composite
def damaged(draw: st.DrawFn, original: Callable[[], bytes]) -> Damaged:
    """What `original` returns, with one to six places flipped, overwritten, cut or repeated."""
    array, places = bytearray(original()), []
    for _ in range(draw(st.integers(1, 6))):
        if not array:
            break
        at = draw(st.integers(0, len(array) - 1))
        place = draw(st.sampled_from(_PLACES))
        length = draw(st.sampled_from((1, 2, 4, 16, 200)))
        places.append(f"{place} {length} at {at}")
        if place == "flip":
            array[at] ^= 1 << draw(st.integers(0, 7))
        elif place == "number":
            array[at : at + 4] = draw(st.sampled_from(_NUMBERS))
        elif place == "zero":
            array[at : at + length] = bytes(length)
        elif place == "cut":
            del array[at : at + length]
        elif place == "repeat":
            array[at:at] = array[at : at + length]
        elif place == "end":
            del array[at:]
        else:
            array[at : at + length] = draw(st.binary(min_size=1, max_size=length))
    return Damaged(bytes(array), places)
