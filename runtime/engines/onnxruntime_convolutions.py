"""The convolutions of an ONNX file, read without the onnx package, which no device has.

ONNX Runtime's trace tells the shapes of an operator's inputs, except of weights that it has packed
for its kernels: of an int8 convolution neither the groups nor the kernel's size can be told from
it. They are in the file. The numbers below are onnx.proto's, which never uses one for anything
else.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import NamedTuple

from shufflenet_deploy.runtime.protobuf import Span, decoded, integers, spans, text

_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_OPERATOR, _NODE_ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INT = 1, 3
_TENSOR_DIMENSIONS, _TENSOR_NAME = 1, 8


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
    for graph in spans(data, (0, len(data)), _MODEL_GRAPH):
        nodes += [_Node(data, span) for span in spans(data, graph, _GRAPH_NODE)]
        for span in spans(data, graph, _GRAPH_INITIALIZER):
            name = text(data, span, _TENSOR_NAME)
            shapes[name] = integers(data, span, _TENSOR_DIMENSIONS)
    for node in nodes:
        if node.operator == "DequantizeLinear" and node.inputs[0] in shapes:
            shapes[node.outputs[0]] = shapes[node.inputs[0]]
    return {
        node.name: Convolution(node.groups(data), shapes[node.inputs[1]])
        for node in nodes
        if node.operator == "Conv" and node.name and node.inputs[1] in shapes
    }


class _Node:
    def __init__(self, data: mmap.mmap, span: Span) -> None:
        self.name = text(data, span, _NODE_NAME)
        self.operator = text(data, span, _NODE_OPERATOR)
        self.inputs = [decoded(data, part) for part in spans(data, span, _NODE_INPUT)]
        self.outputs = [decoded(data, part) for part in spans(data, span, _NODE_OUTPUT)]
        self._attributes = list(spans(data, span, _NODE_ATTRIBUTE))

    def groups(self, data: mmap.mmap) -> int:
        for attribute in self._attributes:
            if text(data, attribute, _ATTRIBUTE_NAME) == "group":
                return next(iter(integers(data, attribute, _ATTRIBUTE_INT)), 1)
        return 1
