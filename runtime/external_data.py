"""The files in which an ONNX model keeps weights outside of itself.

Exporters write large models so, PyTorch's own by default. Each tensor names its file, relative to
the model's folder, and whoever copies the model must copy that too
(https://onnx.ai/onnx/repo-docs/ExternalData.html). The numbers below are onnx.proto's.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.files.reading import opened
from shufflenet_deploy.runtime.protobuf import Span, fields, integers, spans, text

_MODEL_GRAPH, _MODEL_FUNCTION = 7, 25
_FUNCTION_NODE = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE_INITIALIZER = 1, 5, 15
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_SPARSE_VALUES, _SPARSE_INDICES = 1, 2
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_EXTERNAL = 1
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_MAX_DEPTH = 64
"""How deep graphs inside nodes are read: beyond any model, and before Python's own limit."""


def external_data(path: Path) -> tuple[Path, ...]:
    """The files that the ONNX model in `path` keeps weights in, in their order, each once.

    Empty for a model with all weights inside, and for a file that cannot be read as one: its
    engine says what is wrong with it. Raises `InferenceError` for a file outside of the model's
    folder, which no engine would open either.
    """
    try:
        with opened(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            names = list(dict.fromkeys(_locations(data)))
    except (OSError, ValueError, IndexError):  # missing or empty; no protocol buffer; cut off
        return ()
    return tuple(_inside(path, name) for name in names)


def _inside(path: Path, name: str) -> Path:
    location = PurePosixPath(name)
    if location.is_absolute() or ".." in location.parts or not location.parts or "\0" in name:
        raise InferenceError(
            f"{path} keeps weights in {name!r}, outside of its own folder: save it again with its "
            "weights beside it"
        )
    return path.parent / location


def _locations(data: mmap.mmap) -> Iterator[str]:
    whole = (0, len(data))
    for graph in spans(data, whole, _MODEL_GRAPH):
        yield from _of_graph(data, graph, _MAX_DEPTH)
    for function in spans(data, whole, _MODEL_FUNCTION):
        for node in spans(data, function, _FUNCTION_NODE):
            yield from _of_node(data, node, _MAX_DEPTH)


def _of_graph(data: mmap.mmap, graph: Span, depth: int) -> Iterator[str]:
    if not depth:
        raise ValueError("graphs inside graphs without end")
    for number, value in fields(data, graph):
        if not isinstance(value, tuple):
            continue
        if number == _GRAPH_INITIALIZER:
            yield from _of_tensor(data, value)
        elif number == _GRAPH_SPARSE_INITIALIZER:
            for part in (_SPARSE_VALUES, _SPARSE_INDICES):
                for tensor in spans(data, value, part):
                    yield from _of_tensor(data, tensor)
        elif number == _GRAPH_NODE:
            yield from _of_node(data, value, depth)


def _of_node(data: mmap.mmap, node: Span, depth: int) -> Iterator[str]:
    for attribute in spans(data, node, _NODE_ATTRIBUTE):
        for number, value in fields(data, attribute):
            if not isinstance(value, tuple):
                continue
            if number in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                yield from _of_tensor(data, value)
            elif number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                yield from _of_graph(data, value, depth - 1)


def _of_tensor(data: mmap.mmap, tensor: Span) -> Iterator[str]:
    if integers(data, tensor, _TENSOR_DATA_LOCATION)[-1:] != (_EXTERNAL,):
        return
    for entry in spans(data, tensor, _TENSOR_EXTERNAL_DATA):
        if text(data, entry, _ENTRY_KEY) == "location":
            yield text(data, entry, _ENTRY_VALUE)
