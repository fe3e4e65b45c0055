"""Channels of zeros in ShuffleNet's bottlenecks, for int8 kernels that are choosy about counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.export.graph.graph import Graph, Node, Rewritten
from shufflenet_deploy.export.graph.operators import Convolution, Gather


@dataclass(frozen=True, eq=False)
class _Bottleneck:
    """A pointwise convolution, a depthwise one, perhaps a gathering, and a pointwise one."""

    compress: Node
    depthwise: Node
    gather: Node | None
    expand: Node


def pad_bottleneck(graph: Graph, multiple: int) -> Rewritten:
    """Widen each bottleneck until its channels are a multiple; the graph and how many it was.

    The channels that fill each group come out of the first convolution as zeros, stay zeros in
    the depthwise one, and get no weight in the last.
    """
    changed: dict[str, Node | None] = {}
    places = 0
    for node in graph:
        bottleneck = _bottleneck(graph, node)
        widened = _widen(bottleneck, multiple) if bottleneck else {}
        changed |= widened
        places += bool(widened)
    return graph.with_nodes(changed), places


def _bottleneck(graph: Graph, node: Node) -> _Bottleneck | None:
    depthwise = graph.sole_reader(node.name)
    behind = graph.sole_reader(depthwise.name) if depthwise else None
    gather = behind if behind and isinstance(behind.operator, Gather) else None
    expand = graph.sole_reader(gather.name) if gather else behind
    if (
        depthwise is None
        or expand is None
        or not (_mixes_channels(node) and _mixes_channels(expand))
    ):
        return None
    if not isinstance(depthwise.operator, Convolution) or not depthwise.operator.is_depthwise:
        return None
    return _Bottleneck(node, depthwise, gather, expand)


def _mixes_channels(node: Node) -> bool:
    """Whether it is a 1x1 convolution that reads more than one channel for each it makes."""
    operator = node.operator
    return (
        isinstance(operator, Convolution)
        and operator.kernel == (1, 1)
        and not operator.is_depthwise
    )


def _widen(bottleneck: _Bottleneck, multiple: int) -> dict[str, Node | None]:
    compress, depthwise, expand = (
        node.operator for node in (bottleneck.compress, bottleneck.depthwise, bottleneck.expand)
    )
    assert isinstance(compress, Convolution)
    assert isinstance(depthwise, Convolution)
    assert isinstance(expand, Convolution)
    # Behind a gathering the channels stand as the last convolution groups them, before it as the
    # first does; without one, as the last does. Where these differ there is no filling evenly.
    groups = compress.groups if bottleneck.gather else expand.groups
    if expand.groups not in (1, groups) or compress.groups not in (1, groups):
        return {}
    channels = len(compress.bias)
    group_channels = channels // groups
    step = multiple // gcd(groups, multiple)
    wide = -(-group_channels // step) * step
    if wide == group_channels:
        return {}
    width = groups * wide
    # Channel k of group k // group_channels keeps its place in a group that is longer now.
    to = np.arange(channels) // group_channels * wide + np.arange(channels) % group_channels
    weight = np.zeros((len(expand.bias), width // expand.groups, *expand.kernel))
    weight[:, to[: channels // expand.groups]] = expand.weight
    nodes = [
        replace(bottleneck.compress, operator=_with_filters(compress, to, width)),
        replace(
            bottleneck.depthwise,
            operator=replace(_with_filters(depthwise, to, width), groups=width),
        ),
        replace(bottleneck.expand, operator=replace(expand, weight=weight)),
    ]
    if bottleneck.gather:
        order = np.arange(width)  # what fills a group comes from what fills it
        order[to] = to[list(_order(bottleneck.gather))]
        wider = Gather(tuple(int(channel) for channel in order))
        nodes.append(replace(bottleneck.gather, operator=wider))
    return {node.name: node for node in nodes}


def _order(gather: Node) -> tuple[int, ...]:
    assert isinstance(gather.operator, Gather)
    return gather.operator.order


def _with_filters(convolution: Convolution, to: NDArray[np.intp], width: int) -> Convolution:
    """Filter k stands at ``to[k]`` of `width`; those between are zeros."""
    weight = np.zeros((width, *convolution.weight.shape[1:]))
    bias = np.zeros(width)
    weight[to], bias[to] = convolution.weight, convolution.bias
    return replace(convolution, weight=weight, bias=bias)
