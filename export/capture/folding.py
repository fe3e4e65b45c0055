"""What every lowering has: batch normalisation and ReLU become part of the layer before them.

Any converter does this much, so it belongs to the capture and not to the rewrites, whose worth
is measured against a graph without them.
"""

from __future__ import annotations

from dataclasses import replace

from shufflenet_deploy.export.graph.graph import Graph, Node, shapes
from shufflenet_deploy.export.graph.operators import (
    Activating,
    AdaptiveAveragePool,
    Affine,
    Convolution,
    Flatten,
    FullyConnected,
    Gather,
    GlobalMean,
    Relu,
    Shuffle,
)


def fold(graph: Graph) -> Graph:
    """The graph without identities, and with all that a layer can do itself as a part of it."""
    graph = _drop_identities(_simplify_pooling(_drop_unread(graph)))
    return _fold_relu(_fold_affine(graph))


def _drop_unread(graph: Graph) -> Graph:
    """Without what nobody reads, such as the other parts of a split."""
    read, kept = {graph.output}, []
    for node in reversed(graph.nodes):
        if node.name in read:
            kept.append(node)
            read |= set(node.inputs)
    return replace(graph, nodes=tuple(reversed(kept)))


def _simplify_pooling(graph: Graph) -> Graph:
    """Adaptive pooling to the size that is there is nothing; to 1x1 it is the global mean.

    That keeps no map which is flattened anyway.
    """
    known = shapes(graph)
    changed: dict[str, Node | None] = {}
    for node in graph:
        match node.operator:
            case AdaptiveAveragePool() if known[node.name] == known[node.inputs[0]]:
                changed[node.name] = None
            case AdaptiveAveragePool((1, 1)) | GlobalMean(keeps_map=True):
                reader = graph.sole_reader(node.name)
                is_flattened = reader is not None and isinstance(reader.operator, Flatten)
                mean = GlobalMean(keeps_map=not is_flattened)
                changed[node.name] = replace(node, operator=mean)
                if reader is not None and is_flattened:
                    changed[reader.name] = None
    return graph.with_nodes(changed)


def _drop_identities(graph: Graph) -> Graph:
    """Without shuffles and gathers that leave every channel where it is, as with one group."""
    known = shapes(graph)
    changed: dict[str, Node | None] = {}
    for node in graph:
        channels = known[node.inputs[0]][0]
        match node.operator:
            case Shuffle(groups) if groups in (1, channels):
                changed[node.name] = None
            case Gather(order) if order == tuple(range(channels)):
                changed[node.name] = None
    return graph.with_nodes(changed)


def _fold_affine(graph: Graph) -> Graph:
    """Scale and shift in float64, so that the fold costs no precision."""
    for name in [node.name for node in graph]:
        node = graph.node(name)
        assert node is not None
        producer = graph.node(node.inputs[0])
        if (
            isinstance(affine := node.operator, Affine)
            and producer is not None
            and isinstance(layer := producer.operator, Convolution | FullyConnected | Affine)
            and layer.activation is None
            and graph.sole_reader(producer.name) is node
        ):
            folded = replace(producer, operator=_scaled(layer, affine))
            # At once: what reads it may be another one.
            graph = graph.with_nodes({producer.name: folded, name: None})
    return graph


def _scaled(
    layer: Convolution | FullyConnected | Affine, affine: Affine
) -> Convolution | FullyConnected | Affine:
    """The layer that makes what `affine` makes of the layer's output."""
    if isinstance(layer, Affine):
        shift = layer.shift * affine.scale + affine.shift
        return replace(layer, scale=layer.scale * affine.scale, shift=shift)
    sides = (-1, *[1] * (layer.weight.ndim - 1))
    return replace(
        layer,
        weight=layer.weight * affine.scale.reshape(sides),
        bias=layer.bias * affine.scale + affine.shift,
    )


def _fold_relu(graph: Graph) -> Graph:
    changed: dict[str, Node | None] = {}
    for node in graph:
        relu = node.operator
        if isinstance(relu, Relu) and (layer := with_relu(graph, node.inputs[0], relu)):
            changed[layer.name] = layer
            changed[node.name] = None
    return graph.with_nodes(changed)


def with_relu(graph: Graph, name: str, relu: Relu) -> Node | None:
    """The layer that makes the value `name`, with `relu`, where its one reader may have that."""
    layer = graph.node(name)
    if layer is None or graph.sole_reader(name) is None:
        return None
    operator = layer.operator
    if not isinstance(operator, Activating):
        return None
    limits = [one.limit for one in (operator.activation, relu) if one and one.limit is not None]
    both = Relu(min(limits, default=None))
    return replace(layer, operator=replace(operator, activation=both))
