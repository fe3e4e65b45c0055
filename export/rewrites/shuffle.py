"""Channel shuffles: taken away, moved to where they cost less, or made one operator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shufflenet_deploy.export.graph.graph import Graph, Node, Rewritten, shapes
from shufflenet_deploy.export.graph.operators import Convolution, Gather, Shuffle, shuffle_order


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
