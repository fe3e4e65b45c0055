"""`Graph`: the small form of a network between its capture and its emission.

It is neutral of layout and of batch: the shape of a value is (channels, height, width), or
(channels,) after a flattening and, unless it keeps a map, after a global mean. Weights have
PyTorch's order. Emitters choose the layout and put the batch in front.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Shape = tuple[int, ...]
Pair = tuple[int, int]
"""Vertical, horizontal."""


@dataclass(frozen=True, eq=False)
class Convolution:
    """2-D convolution with symmetric zero padding: (I, H, W) -> (O, H', W').

    `weight` is (O, I / groups, kernel height, kernel width), `bias` (O,).
    """

    weight: Array
    bias: Array
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    groups: int = 1
    relu: bool = False

    @property
    def kernel(self) -> Pair:
        """Height and width of the window."""
        return self.weight.shape[2], self.weight.shape[3]

    @property
    def is_depthwise(self) -> bool:
        """One filter for each channel."""
        outputs, inputs_each = self.weight.shape[:2]
        return bool(self.groups == outputs and inputs_each == 1)


@dataclass(frozen=True)
class MaxPool:
    """Maximum over windows. Padding never wins, as if it were minus infinity.

    `non_negative` states that the input is known to be: zeros may then stand for the padding.
    """

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    non_negative: bool = False


@dataclass(frozen=True)
class AveragePool:
    """Mean over windows; padding counts as zeros, as in PyTorch by default."""

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)


@dataclass(frozen=True)
class AdaptiveAveragePool:
    """Mean over windows that divide the map into `size`, as PyTorch's layer of that name."""

    size: Pair


@dataclass(frozen=True)
class GlobalMean:
    """Mean over height and width: (C, H, W) -> (C,), or (C, 1, 1) where it `keeps_map`."""

    keeps_map: bool = False


@dataclass(frozen=True)
class Flatten:
    """(C, H, W) -> (C * H * W,), channels outermost."""


@dataclass(frozen=True, eq=False)
class FullyConnected:
    """`weight` (O, I), `bias` (O,): (I,) -> (O,)."""

    weight: Array
    bias: Array
    relu: bool = False


@dataclass(frozen=True)
class Add:
    """Sum of two values of one shape."""

    relu: bool = False


@dataclass(frozen=True)
class ChannelScale:
    """Each channel of the first value times its number in the second: (C, H, W) and (C, 1, 1)."""

    relu: bool = False


@dataclass(frozen=True)
class Concatenate:
    """Along the channels."""


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True)
class Shuffle:
    """The paper's channel shuffle: output k is input `shuffle_order(C, groups)[k]`."""

    groups: int


@dataclass(frozen=True)
class Gather:
    """Any selection of channels: output k is input ``order[k]``."""

    order: tuple[int, ...]


@dataclass(frozen=True)
class LocalResponseNorm:
    """x / (k + alpha / size * sum of x^2 over `size` neighbouring channels) ^ beta.

    As in AlexNet (Krizhevsky et al., 2012, section 3.3), with alpha divided by the size as in
    PyTorch and ONNX.
    """

    size: int
    alpha: float
    beta: float
    k: float


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """x * scale + shift for each channel, in float64. Capture folds all of them away."""

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]


Operator = (
    Convolution
    | MaxPool
    | AveragePool
    | AdaptiveAveragePool
    | GlobalMean
    | Flatten
    | FullyConnected
    | Add
    | ChannelScale
    | Concatenate
    | Relu
    | Sigmoid
    | Shuffle
    | Gather
    | LocalResponseNorm
    | BatchNorm
)


@dataclass(frozen=True, eq=False)
class Node:
    """An operator on named values. Its one output has the node's own name."""

    name: str
    operator: Operator
    inputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in an order in which each comes after what it reads."""

    input: str
    input_shape: Shape
    nodes: tuple[Node, ...]
    output: str

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def node(self, name: str) -> Node | None:
        """The node that makes the value `name`; None for the graph's input."""
        return next((node for node in self.nodes if node.name == name), None)

    def readers(self, name: str) -> list[Node]:
        """The nodes that read the value `name`, in order."""
        return [node for node in self.nodes if name in node.inputs]

    def sole_reader(self, name: str) -> Node | None:
        """The one node that reads `name`, where nothing else does."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and name != self.output else None

    def with_nodes(self, changed: Mapping[str, Node | None]) -> Graph:
        """The graph with some nodes exchanged; None drops one, whose readers then read its input.

        The drop of a node with several inputs is not defined.
        """
        instead: dict[str, str] = {}
        nodes = []
        for node in self.nodes:
            new = changed.get(node.name, node)
            if new is None:
                (source,) = node.inputs
                instead[node.name] = instead.get(source, source)
            else:
                inputs = tuple(instead.get(name, name) for name in new.inputs)
                nodes.append(replace(new, inputs=inputs))
        return replace(self, nodes=tuple(nodes), output=instead.get(self.output, self.output))


def shuffle_order(channels: int, groups: int) -> NDArray[np.intp]:
    """The channel that a shuffle with `groups` puts at each place (section 3.1 of the paper)."""
    return np.arange(channels).reshape(groups, channels // groups).T.ravel()


def shapes(graph: Graph) -> dict[str, Shape]:
    """The shape of every value, without the batch.

    Raises `ValueError` for a graph that does not fit together.
    """
    known = {graph.input: graph.input_shape}
    for node in graph:
        inputs = [known[name] for name in node.inputs]
        try:
            known[node.name] = _shape(node.operator, inputs)
        except ValueError as error:
            raise ValueError(f"{node.name} does not take {inputs}: {error}") from None
    return known


def _shape(operator: Operator, inputs: list[Shape]) -> Shape:
    (first, *others) = inputs
    match operator:
        case Convolution():
            _expect(first[0] == operator.weight.shape[1] * operator.groups, "channels")
            windows = _windows(first, operator.kernel, operator.stride, operator.padding)
            return (operator.weight.shape[0], *windows)
        case MaxPool() | AveragePool():
            windows = _windows(first, operator.kernel, operator.stride, operator.padding)
            return (first[0], *windows)
        case AdaptiveAveragePool():
            return (first[0], *operator.size)
        case GlobalMean():
            return (first[0], 1, 1) if operator.keeps_map else first[:1]
        case Flatten():
            return (int(np.prod(first)),)
        case FullyConnected():
            _expect(first == operator.weight.shape[1:], "features")
            return operator.weight.shape[:1]
        case Add():
            _expect(others == [first], "shapes that differ")
            return first
        case ChannelScale():
            _expect(others == [(first[0], 1, 1)], "channels")
            return first
        case Concatenate():
            _expect(all(other[1:] == first[1:] for other in others), "sizes that differ")
            return (sum(shape[0] for shape in inputs), *first[1:])
        case Shuffle():
            _expect(first[0] % operator.groups == 0, "groups")
            return first
        case Gather():
            _expect(max(operator.order) < first[0], "channels")
            return (len(operator.order), *first[1:])
        case Relu() | Sigmoid() | LocalResponseNorm() | BatchNorm():
            return first


def _windows(shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    _, *size = shape
    height, width = (
        (size[axis] + 2 * padding[axis] - kernel[axis]) // stride[axis] + 1 for axis in (0, 1)
    )
    _expect(min(height, width) > 0, "a map smaller than the window")
    return height, width


def _expect(condition: bool, reason: str) -> None:
    if not condition:
        raise ValueError(reason)
