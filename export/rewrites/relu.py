"""ReLUs as part of the layers before them, where capture could not put them."""

from __future__ import annotations

from shufflenet_deploy.export.capture.folding import with_relu
from shufflenet_deploy.export.graph.graph import Graph, Node, Rewritten
from shufflenet_deploy.export.graph.operators import Concatenate, Relu
from shufflenet_deploy.export.rewrites.signs import non_negative


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
        relu = node.operator
        # A limit concerns what is not negative too.
        parts = [part for part in joined.inputs if relu.limit is not None or part not in positive]
        layers = [with_relu(graph, part, relu) for part in parts]
        if all(layers):
            changed |= {layer.name: layer for layer in layers if layer is not None}
            changed[node.name] = None
            places += 1
    return graph.with_nodes(changed), places
