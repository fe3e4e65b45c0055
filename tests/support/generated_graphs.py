"""Hypothesis strategies for `Graph`s: any sequence of layers, and the units of ShuffleNet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from shufflenet_deploy.export.graph.graph import Graph, Node, shapes
from shufflenet_deploy.export.graph.operators import (
    Add,
    Affine,
    AveragePool,
    ChannelScale,
    Concatenate,
    Convolution,
    Elu,
    FullyConnected,
    Gelu,
    GlobalMean,
    LeakyRelu,
    MaxPool,
    Multiply,
    Operator,
    Relu,
    Shape,
    Shuffle,
    Sigmoid,
    Slice,
    Tanh,
)

RELU = Relu()
CURVES = (Sigmoid(), Tanh(), Elu(), Gelu(), Gelu(by_tanh=True))

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass
class Building:
    """A graph that grows at its end; weights are seeded."""

    input_shape: Shape
    random: np.random.Generator
    nodes: list[Node] = field(default_factory=list)

    @property
    def last(self) -> str:
        return self.nodes[-1].name if self.nodes else "images"

    def graph(self) -> Graph:
        return Graph("images", self.input_shape, tuple(self.nodes), self.last)

    def shape(self, name: str | None = None) -> Shape:
        return shapes(self.graph())[name or self.last]

    def add(self, operator: Operator, *inputs: str) -> str:
        name = f"{type(operator).__name__.lower()}_{len(self.nodes)}"
        self.nodes.append(Node(name, operator, inputs or (self.last,)))
        return name

    def convolution(
        self,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: Relu | None = None,
        dilation: int = 1,
    ) -> str:
        inputs = self.shape()[0]
        weight = self.random.normal(size=(outputs, inputs // groups, kernel, kernel))
        bias = self.random.normal(size=outputs)
        padding = kernel // 2 * dilation
        window = (stride, stride), (padding, padding)
        return self.add(
            Convolution(weight, bias, *window, groups, activation, (dilation, dilation))
        )

    def depthwise(self, stride: int = 1, activation: Relu | None = None) -> str:
        channels = self.shape()[0]
        return self.convolution(channels, 3, stride, channels, activation)

    def squeeze_excitation(self, reduced: int, activation: Relu | None = None) -> str:
        source, channels = self.last, self.shape()[0]
        self.add(GlobalMean(keeps_map=True))
        self.convolution(reduced, activation=RELU)
        self.convolution(channels)
        factors = self.add(Sigmoid())
        return self.add(ChannelScale(activation), source, factors)


def _layer(building: Building, draw: Draw) -> None:
    """One layer that fits the graph's end."""
    channels, height, width = building.shape()
    divisors = [d for d in range(1, channels + 1) if channels % d == 0]
    groups = draw(st.sampled_from(divisors))
    stride = draw(st.sampled_from([1, 2]))
    kernel = draw(st.sampled_from([1, 3]))
    activation = draw(st.sampled_from([None, RELU, Relu(6.0)]))
    kind = draw(st.integers(0, 12))
    if min(height, width) < 3:
        stride = kernel = 1
    if kind == 0:
        outputs, dilation = groups * draw(st.integers(1, 3)), draw(st.integers(1, 3))
        building.convolution(outputs, kernel, stride, groups, activation, dilation)
    elif kind == 1:
        building.depthwise(stride, activation)
    elif kind == 2:
        building.add(Shuffle(groups))
    elif kind == 3:
        building.add(activation or RELU)
    elif kind == 4:
        padding = kernel // 2
        after = draw(st.tuples(st.integers(0, padding), st.integers(0, padding)))
        pool = MaxPool((kernel, kernel), (stride, stride), (padding, padding), after=after)
        building.add(pool)
    elif kind == 5:
        padding = kernel // 2
        building.add(AveragePool((kernel, kernel), (stride, stride), (padding, padding)))
    elif kind == 6:
        building.add(draw(st.sampled_from(CURVES)))
    elif kind == 7:
        building.squeeze_excitation(draw(st.integers(1, 3)), activation)
    elif kind == 8:
        begin = draw(st.integers(0, channels - 1))
        building.add(Slice(begin, draw(st.integers(begin + 1, channels))))
    elif kind == 9 and activation != RELU:
        scale, shift = building.random.normal(size=(2, channels))
        building.add(Affine(scale, shift, activation))
    elif kind == 9:
        several = building.random.uniform(0, 1, channels)
        building.add(LeakyRelu(np.resize(several, channels)))
    else:
        shape = building.shape()
        alike = [n.name for n in building.nodes if building.shape(n.name) == shape]
        if alike:
            other = draw(st.sampled_from(alike))
            operators = Add(activation), Multiply(activation), Concatenate()
            building.add(operators[kind - 10], building.last, other)


@st.composite
def graphs(draw: Draw) -> Graph:
    """Up to ten layers in any order, on small maps that need not be square or even."""
    channels = draw(st.integers(1, 8))
    shape = (channels, draw(st.integers(3, 9)), draw(st.integers(3, 9)))
    building = Building(shape, np.random.default_rng(draw(st.integers(0, 999))))
    building.convolution(draw(st.integers(1, 12)), 3)
    for _ in range(draw(st.integers(1, 10))):
        _layer(building, draw)
    return building.graph()


@st.composite
def units(draw: Draw) -> Graph:
    """A ShuffleNet unit behind a stem, of any group count, width, size and stride.

    With squeeze and excitation or without.
    """
    groups = draw(st.integers(1, 4))
    stride = draw(st.sampled_from([1, 2]))
    middle = groups * draw(st.integers(1, 4))
    inputs = groups * draw(st.integers(1, 4))
    shape = (3, draw(st.integers(5, 12)), draw(st.integers(5, 12)))
    building = Building(shape, np.random.default_rng(draw(st.integers(0, 999))))
    building.convolution(inputs, 3, activation=RELU)
    source = building.add(MaxPool((3, 3), (2, 2), (1, 1)))
    ungrouped = bool(draw(st.integers(0, 1)))
    reduced = draw(st.integers(0, 2))
    building.convolution(middle, groups=1 if ungrouped else groups, activation=RELU)
    building.add(Shuffle(groups))
    building.depthwise(stride)
    if stride == 1:
        branch = building.convolution(inputs, groups=groups)
        if reduced:
            branch = building.squeeze_excitation(reduced)
        building.add(Add(activation=RELU), branch, source)
    else:
        branch = building.convolution(groups * draw(st.integers(1, 4)), groups=groups)
        if reduced:
            branch = building.squeeze_excitation(reduced)
        shortcut = building.add(AveragePool((3, 3), (2, 2), (1, 1)), source)
        building.add(Concatenate(), branch, shortcut)
        building.add(Relu())
    return building.graph()


def classified(graph: Graph, classes: int = 5) -> Graph:
    """`graph` with a global mean and a fully connected layer at its end."""
    building = Building(graph.input_shape, np.random.default_rng(0), list(graph.nodes))
    channels = building.shape()[0]
    building.add(GlobalMean())
    weight = building.random.normal(size=(classes, channels))
    building.add(FullyConnected(weight, building.random.normal(size=classes)))
    return building.graph()
