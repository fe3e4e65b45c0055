"""Exact rewrites: each maps a graph to an equal one that engines run faster.

"Equal" is meant in real arithmetic; tests prove each on generated graphs. What each is worth
was measured with ``make bench``; one that does not win on an engine is not done for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from shufflenet_deploy.export.capture.folding import with_relu
from shufflenet_deploy.export.graph.graph import Graph, Node, shapes
from shufflenet_deploy.export.graph.operators import (
    Add,
    AveragePool,
    ChannelScale,
    Concatenate,
    Convolution,
    FullyConnected,
    Gather,
    GlobalMean,
    LocalResponseNorm,
    MaxPool,
    Relu,
    Shuffle,
    Sigmoid,
    shuffle_order,
)
from shufflenet_deploy.export.rewrites.bottleneck import pad_bottleneck
from shufflenet_deploy.export.rewrites.squeeze import squeeze_before_expansion

Rewritten = tuple[Graph, int]
"""The graph, and the number of places where something was changed."""


@dataclass(frozen=True)
class Rewrite:
    """A row of `REWRITES`. The function's name is the rewrite's."""

    apply: Callable[[Graph], Rewritten]
    kinds: frozenset[str]
    """The artifacts that it makes faster, as `kind` names them: those get it by default."""

    needed: frozenset[str] = frozenset()
    """Those that have it under ``--lowering plain`` too."""

    @property
    def name(self) -> str:
        """As manifests have it."""
        return self.apply.__name__


def kind(format_: str, precision: str, target: str) -> str:
    """What decides which rewrites win: ``onnx-int8-arm64``, or without the target in float."""
    return f"{format_}-int8-{target}" if precision == "int8" else f"{format_}-float"


def absorb_shuffle(graph: Graph) -> Rewritten:
    """A shuffle right after an ungrouped convolution permutes that convolution's filters.

    So it is in the first unit of stage 2, whose first convolution is not grouped, and in every
    unit where g = 1.
    """
    changed: dict[str, Node | None] = {}
    for node in graph:
        layer = graph.node(node.inputs[0])
        if (
            isinstance(shuffle := node.operator, Shuffle)
            and layer is not None
            and isinstance(convolution := layer.operator, Convolution)
            and convolution.groups == 1
            and graph.sole_reader(layer.name) is node
        ):
            order = shuffle_order(len(convolution.bias), shuffle.groups)
            permuted = replace(
                convolution, weight=convolution.weight[order], bias=convolution.bias[order]
            )
            changed[layer.name] = replace(layer, operator=permuted)
            changed[node.name] = None
    return graph.with_nodes(changed), len(changed) // 2


def shuffle_after_depthwise(graph: Graph) -> Rewritten:
    """A shuffle and the depthwise convolution after it change places.

    The convolution's filters are permuted to match. At stride 2 the shuffle then moves a
    quarter of the pixels. Each keeps its name, by which profiles tell them apart.
    """
    changed: dict[str, Node] = {}
    instead: dict[str, str] = {}
    for node in graph:
        reader = graph.sole_reader(node.name)
        if (
            isinstance(shuffle := node.operator, Shuffle)
            and reader is not None
            and isinstance(depthwise := reader.operator, Convolution)
            and depthwise.is_depthwise
        ):
            # Filter k read channel order[k]: now it stands where that channel is.
            back = np.argsort(shuffle_order(len(depthwise.bias), shuffle.groups))
            permuted = replace(depthwise, weight=depthwise.weight[back], bias=depthwise.bias[back])
            # Each stands where the other was, and what read the convolution reads the shuffle.
            changed[node.name] = Node(reader.name, permuted, node.inputs)
            changed[reader.name] = Node(node.name, shuffle, (reader.name,))
            instead[reader.name] = node.name
    nodes = []
    for node in graph:
        new = changed.get(node.name, node)
        if new.name not in instead.values():
            new = replace(new, inputs=tuple(instead.get(name, name) for name in new.inputs))
        nodes.append(new)
    output = instead.get(graph.output, graph.output)
    return replace(graph, nodes=tuple(nodes), output=output), len(instead)


def average_pool_as_depthwise(graph: Graph) -> Rewritten:
    """An average pooling becomes a depthwise convolution of equal weights.

    Engines have a fast kernel for that one, and TFLite's own pooling does not count padding.
    """
    known = shapes(graph)
    changed: dict[str, Node | None] = {}
    for node in graph:
        if isinstance(pool := node.operator, AveragePool):
            channels = known[node.name][0]
            height, width = pool.kernel
            weight = np.full((channels, 1, height, width), 1 / (height * width))
            depthwise = Convolution(
                weight, np.zeros(channels), pool.stride, pool.padding, groups=channels
            )
            changed[node.name] = replace(node, operator=depthwise)
    return graph.with_nodes(changed), len(changed)


def relu_before_concatenation(graph: Graph) -> Rewritten:
    """A ReLU after a concatenation moves into the layers before it.

    In a stride-2 unit that is the branch's last layer: the shortcut is an average of what was not
    negative and needs none.
    """
    positive = non_negative(graph)
    changed: dict[str, Node | None] = {}
    places = 0
    for node in graph:
        joined = graph.node(node.inputs[0])
        if (
            not isinstance(node.operator, Relu)
            or joined is None
            or not isinstance(joined.operator, Concatenate)
            or graph.sole_reader(joined.name) is not node
        ):
            continue
        layers = [with_relu(graph, part) for part in joined.inputs if part not in positive]
        if all(layers):
            changed |= {layer.name: layer for layer in layers if layer is not None}
            changed[node.name] = None
            places += 1
    return graph.with_nodes(changed), places


def max_pool_of_non_negative(graph: Graph) -> Rewritten:
    """Note which max poolings read no negative number: zeros may then stand for the padding.

    XNNPACK takes a padding with zeros, and none of another kind.
    """
    positive = non_negative(graph)
    changed: dict[str, Node | None] = {
        node.name: replace(node, operator=replace(pool, non_negative=True))
        for node in graph
        if isinstance(pool := node.operator, MaxPool)
        and pool.padding != (0, 0)
        and not pool.non_negative
        and node.inputs[0] in positive
    }
    return graph.with_nodes(changed), len(changed)


def shuffle_as_gather(graph: Graph) -> Rewritten:
    """A shuffle becomes one gathering of channels instead of three changes of shape."""
    known = shapes(graph)
    changed: dict[str, Node | None] = {}
    for node in graph:
        if isinstance(shuffle := node.operator, Shuffle):
            order = shuffle_order(known[node.name][0], shuffle.groups)
            gather = Gather(tuple(int(channel) for channel in order))
            changed[node.name] = replace(node, operator=gather)
    return graph.with_nodes(changed), len(changed)


def non_negative(graph: Graph) -> set[str]:
    """The values that cannot be negative, whatever the images are."""
    found: set[str] = set()
    for node in graph:
        inputs_are = all(name in found for name in node.inputs)
        match node.operator:
            case Relu() | Sigmoid():
                is_positive = True
            case Convolution(weight=weight, bias=bias) | FullyConnected(weight=weight, bias=bias):
                weights_are = bool((weight >= 0).all() and (bias >= 0).all())
                is_positive = node.operator.relu or (inputs_are and weights_are)
            case Add() | ChannelScale():
                is_positive = node.operator.relu or inputs_are
            case (
                MaxPool()
                | AveragePool()
                | GlobalMean()
                | Shuffle()
                | Gather()
                | Concatenate()
                | LocalResponseNorm()
            ):
                is_positive = inputs_are
            case _:
                is_positive = False
        if is_positive:
            found.add(node.name)
    return found


def pad_bottleneck_to_8(graph: Graph) -> Rewritten:
    """See `pad_bottleneck`: what ONNX Runtime's int8 kernels want on ARM64."""
    return pad_bottleneck(graph, 8)


def pad_bottleneck_to_16(graph: Graph) -> Rewritten:
    """See `pad_bottleneck`: what ONNX Runtime's int8 kernels want on x86-64."""
    return pad_bottleneck(graph, 16)


_ONNX = frozenset({"onnx-float", "onnx-int8-arm64", "onnx-int8-x86-64"})
_ONNX_INT8 = _ONNX - {"onnx-float"}
_TFLITE = frozenset({"tflite-float", "tflite-int8-arm64", "tflite-int8-x86-64"})

REWRITES: tuple[Rewrite, ...] = (
    Rewrite(absorb_shuffle, _ONNX | _TFLITE),
    Rewrite(shuffle_after_depthwise, _ONNX | _TFLITE),
    Rewrite(relu_before_concatenation, _ONNX | _TFLITE),
    Rewrite(average_pool_as_depthwise, _ONNX_INT8 | _TFLITE),
    # Else the quantiser needs a mirrored edge, whose kernel is slow: no fair thing to compare with.
    Rewrite(max_pool_of_non_negative, _TFLITE, needed=_TFLITE - {"tflite-float"}),
    Rewrite(shuffle_as_gather, _ONNX),
    Rewrite(pad_bottleneck_to_8, frozenset({"onnx-int8-arm64"})),
    Rewrite(pad_bottleneck_to_16, frozenset({"onnx-int8-x86-64"})),
    Rewrite(squeeze_before_expansion, _ONNX | _TFLITE),
)
"""In the order in which they are applied: a shuffle that can vanish must not move first, and a
bottleneck is not widened once a mean reads it too."""
