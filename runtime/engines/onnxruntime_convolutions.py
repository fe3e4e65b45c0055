"""The convolutions of an ONNX file, read without the onnx package, which no device has.

ONNX Runtime's trace tells the shapes of an operator's inputs, except of weights that it has packed
for its kernels: of an int8 convolution neither the groups nor the kernel's size can be told from
it. They are in the file, and a protocol buffer is a simple thing: a sequence of fields, each a
number and a payload, of which unknown ones are skipped. The numbers below are onnx.proto's, which
never uses one for anything else.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_OPERATOR, _NODE_ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INT = 1, 3
_TENSOR_DIMENSIONS, _TENSOR_NAME = 1, 8

_Span = tuple[int, int]
"""Where a payload begins and ends in the file."""


class Convolution(NamedTuple):
    """Of a Conv node: its groups and its weights' shape, which is (M, C / groups, kh, kw)."""

    groups: int
    weight: tuple[int, ...]


def convolutions(path: Path) -> dict[str, Convolution]:
    """Node's name -> its convolution, for those in `path` that have a name and constant weights.

    Weights may come through a DequantizeLinear. Of a file that is not read this way there are
    none: the engine takes it, and a profile without groups is better than no profile.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _convolutions(data)
    except (OSError, ValueError, IndexError):  # missing or empty; no protocol buffer; cut off
        return {}


def _convolutions(data: mmap.mmap) -> dict[str, Convolution]:
    nodes: list[_Node] = []
    shapes: dict[str, tuple[int, ...]] = {}
    for graph in _spans(data, (0, len(data)), _MODEL_GRAPH):
        nodes += [_Node(data, span) for span in _spans(data, graph, _GRAPH_NODE)]
        for span in _spans(data, graph, _GRAPH_INITIALIZER):
            name = _text(data, span, _TENSOR_NAME)
            shapes[name] = _integers(data, span, _TENSOR_DIMENSIONS)
    for node in nodes:
        if node.operator == "DequantizeLinear" and node.inputs[0] in shapes:
            shapes[node.outputs[0]] = shapes[node.inputs[0]]
    return {
        node.name: Convolution(node.groups(data), shapes[node.inputs[1]])
        for node in nodes
        if node.operator == "Conv" and node.name and node.inputs[1] in shapes
    }


class _Node:
    def __init__(self, data: mmap.mmap, span: _Span) -> None:
        self.name = _text(data, span, _NODE_NAME)
        self.operator = _text(data, span, _NODE_OPERATOR)
        self.inputs = [_decoded(data, part) for part in _spans(data, span, _NODE_INPUT)]
        self.outputs = [_decoded(data, part) for part in _spans(data, span, _NODE_OUTPUT)]
        self._attributes = list(_spans(data, span, _NODE_ATTRIBUTE))

    def groups(self, data: mmap.mmap) -> int:
        for attribute in self._attributes:
            if _text(data, attribute, _ATTRIBUTE_NAME) == "group":
                return next(iter(_integers(data, attribute, _ATTRIBUTE_INT)), 1)
        return 1


def _fields(data: mmap.mmap, span: _Span) -> Iterator[tuple[int, int | _Span]]:
    """The fields of the message in `span`: number, and its integer or where its bytes are."""
    position, end = span
    while position < end:
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
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


def _spans(data: mmap.mmap, span: _Span, number: int) -> Iterator[_Span]:
    for found, value in _fields(data, span):
        if found == number and isinstance(value, tuple):
            yield value


def _integers(data: mmap.mmap, span: _Span, number: int) -> tuple[int, ...]:
    """A repeated integer's values, which may be packed into one field."""
    values: list[int] = []
    for found, value in _fields(data, span):
        if found != number:
            continue
        if isinstance(value, int):
            values.append(value)
            continue
        position, end = value
        while position < end:
            integer, position = _varint(data, position)
            values.append(integer)
    return tuple(values)


def _text(data: mmap.mmap, span: _Span, number: int) -> str:
    return next((_decoded(data, part) for part in _spans(data, span, number)), "")


def _decoded(data: mmap.mmap, span: _Span) -> str:
    return data[span[0] : span[1]].decode(errors="replace")
