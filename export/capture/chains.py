"""What has no operator of its own in an exported program is recognised as a chain of operators.

These are channel shuffle and local response normalisation, as PyTorch makes them.
"""

from __future__ import annotations

from typing import Any

from torch import fx

from shufflenet_deploy.export.capture.aten import Match, arguments_of, aten, shape_of
from shufflenet_deploy.export.graph.operators import LocalResponseNorm, Shuffle

_RESHAPES = {aten.view.default, aten.reshape.default}


def recognise_shuffle(node: fx.Node) -> Match | None:
    """View as (N, g, C/g, H, W), exchange the two middle dimensions, view as (N, C, H, W)."""
    chain = _chain(node, _RESHAPES, {aten.transpose.int}, _RESHAPES)
    if chain is None:
        # a view of what is not contiguous needs a copy first
        chain = _chain(node, _RESHAPES, {aten.contiguous.default}, {aten.transpose.int}, _RESHAPES)
    if chain is None:
        return None
    source, (split, exchange, *_) = chain
    n, channels, *size = shape_of(source)
    groups = shape_of(split)[1]
    matches = (
        shape_of(split) == (n, groups, channels // groups, *size)
        and sorted(exchange.args[1:]) == [1, 2]  # type: ignore[type-var]
        and shape_of(node) == shape_of(source)
    )
    return (Shuffle(groups), (source,)) if matches else None


def recognise_local_response_norm(node: fx.Node) -> Match | None:
    """What torch.nn.functional.local_response_norm is made of, from the division back."""
    if node.target is not aten.div.Tensor or not isinstance(node.args[1], fx.Node):
        return None
    chain = _chain(
        node.args[1],
        {aten.pow.Tensor_Scalar},
        {aten.add.Tensor},
        {aten.mul.Tensor},
        _RESHAPES,
        {aten.squeeze.dim},
        {aten.avg_pool3d.default},
        {aten.pad.default, aten.constant_pad_nd.default},
        _RESHAPES,
        {aten.mul.Tensor},
    )
    if chain is None:
        return None
    source, (square, _, _, pool, _, _, scaled, shifted, power) = chain
    if square.args != (source, source) or node.args[0] is not source:
        return None
    size, *_ = arguments_of(pool, kernel=None)[0]
    alpha, k, beta = (node.args[1] for node in (scaled, shifted, power))
    return LocalResponseNorm(size, alpha, beta, k), (source,)  # type: ignore[arg-type]


def _chain(last: fx.Node, *targets: set[Any]) -> tuple[fx.Node, list[fx.Node]] | None:
    """Walk back from `last` while the targets match; the source, and the nodes from the first."""
    nodes: list[fx.Node] = []
    current = last
    for accepted in targets:
        if current.target not in accepted or not isinstance(current.args[0], fx.Node):
            return None
        nodes.insert(0, current)
        current = current.args[0]
    return current, nodes
