"""From a PyTorch network to a `Graph`, by torch.export.

ATen operators are translated one by one; two chains of them are recognised as what they
compute, channel shuffle and local response normalisation. Then batch normalisation and ReLU
are folded into what stands before them. An operator without a translation is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from shufflenet_deploy.export import ExportError
from shufflenet_deploy.export.folding import fold
from shufflenet_deploy.export.graph import (
    AdaptiveAveragePool,
    Add,
    AveragePool,
    BatchNorm,
    Concatenate,
    Convolution,
    Flatten,
    FullyConnected,
    GlobalMean,
    Graph,
    LocalResponseNorm,
    MaxPool,
    Node,
    Operator,
    Pair,
    Relu,
    Shuffle,
)

BATCH = 2
"""Of the traced images: two, so that no dimension of one is mistaken for the batch."""

aten = torch.ops.aten

Match = tuple[Operator, tuple[fx.Node, ...]]
"""What an fx node computes, and from which others."""


def capture(network: nn.Module, input_size: Pair) -> Graph:
    """The network on images of `input_size` (height, width), with BN and ReLU folded.

    Raises `ExportError` for an operator, or an argument of one, that has no translation.
    """
    images = torch.zeros(BATCH, 3, *input_size)
    program = torch.export.export(network.eval(), (images,))
    return fold(_Translation(program).graph((3, *input_size)))


class _Translation:
    """One pass over an exported program.

    A node of a chain (a view, say) gets no value of its own: the chain's last node does. Only
    where something reads a node without a value is there an operator that nobody knows.
    """

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self._fx_nodes = list(program.graph.nodes)
        self._nodes: list[Node] = []
        self._values: dict[fx.Node, str] = {}
        state = {**program.state_dict, **program.constants}
        targets = {
            spec.arg.name: spec.target
            for spec in program.graph_signature.input_specs
            if spec.target is not None
        }
        self._constants: dict[str, NDArray[np.float64]] = {
            name: state[target].detach().double().numpy() for name, target in targets.items()
        }

    def graph(self, input_shape: tuple[int, ...]) -> Graph:
        images = output = ""
        for node in self._fx_nodes:
            if node.op == "placeholder":
                if node.name not in self._constants:
                    images = self._values[node] = "images"
            elif node.op == "output":
                output = self._value(_result(node))
            else:
                self._translate(node)
        return Graph(images, input_shape, tuple(self._nodes), output)

    def _translate(self, node: fx.Node) -> None:
        if node.target in _ALIASES:
            source = _source(node)
            if source in self._values:
                self._values[node] = self._values[source]
            return
        match = _shuffle(node) or _local_response_norm(node)
        if match is None and node.target in _TRANSLATIONS:
            match = _TRANSLATIONS[node.target](node, self._constant)
        if match is not None:
            operator, inputs = match
            self._nodes.append(Node(node.name, operator, tuple(map(self._value, inputs))))
            self._values[node] = node.name

    def _value(self, node: fx.Node) -> str:
        if node not in self._values:
            raise _refusal(node, "it has no translation")
        return self._values[node]

    def _constant(self, node: fx.Node) -> NDArray[np.float64]:
        if node.name not in self._constants:
            raise _refusal(node, "weights that are computed from others have no translation")
        return self._constants[node.name]


_Constant = Callable[[fx.Node], NDArray[np.float64]]


def _refusal(node: fx.Node, reason: str) -> ExportError:
    return ExportError(f"cannot export operator {node.target} ({node.name}): {reason}")


def _source(node: fx.Node) -> fx.Node:
    source = node.args[0]
    assert isinstance(source, fx.Node)
    return source


def _result(output: fx.Node) -> fx.Node:
    results = output.args[0]
    assert isinstance(results, tuple | list)
    if len(results) != 1 or not isinstance(results[0], fx.Node):
        raise ExportError(f"cannot export a network with {len(results)} outputs: one is needed")
    return results[0]


def _arguments(node: fx.Node, **defaults: Any) -> list[Any]:
    """The arguments after the first, in the order of `defaults`, which fill in what is missing."""
    given = {**dict(zip(defaults, node.args[1:], strict=False)), **node.kwargs}
    return [given.get(name, default) for name, default in defaults.items()]


def _pair(value: Any) -> Pair:
    """PyTorch's size of one number or two."""
    numbers = [value] if isinstance(value, int) else list(value)
    return (numbers[0], numbers[-1])


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(node.meta["val"].shape)


def _convolution(node: fx.Node, constant: _Constant) -> Match:
    weight, bias, stride, padding, dilation, groups = _arguments(
        node, weight=None, bias=None, stride=1, padding=0, dilation=1, groups=1
    )
    if _pair(dilation) != (1, 1):
        raise _refusal(node, f"dilation {dilation} has no translation")
    weights = constant(weight)
    biases = np.zeros(len(weights)) if bias is None else constant(bias)
    convolution = Convolution(weights, biases, _pair(stride), _pair(padding), groups)
    return convolution, (_source(node),)


def _batch_norm(node: fx.Node, constant: _Constant) -> Match:
    weight, bias, mean, variance, training, _, epsilon = _arguments(
        node, weight=None, bias=None, mean=None, var=None, training=False, momentum=0, eps=1e-5
    )
    if training:
        raise _refusal(node, "it is in training mode")
    scale = constant(weight) / np.sqrt(constant(variance) + epsilon)
    return BatchNorm(scale, constant(bias) - constant(mean) * scale), (_source(node),)


def _max_pool(node: fx.Node, constant: _Constant) -> Match:
    kernel, stride, padding, dilation, ceil = _arguments(
        node, kernel=None, stride=None, padding=0, dilation=1, ceil=False
    )
    if _pair(dilation) != (1, 1) or ceil:
        raise _refusal(node, "dilation and ceil_mode have no translation")
    pool = MaxPool(_pair(kernel), _pair(stride or kernel), _pair(padding))
    return pool, (_source(node),)


def _average_pool(node: fx.Node, constant: _Constant) -> Match:
    kernel, stride, padding, ceil, count_padding, divisor = _arguments(
        node, kernel=None, stride=None, padding=0, ceil=False, count=True, divisor=None
    )
    if ceil or divisor is not None or not (count_padding or _pair(padding) == (0, 0)):
        raise _refusal(node, "ceil_mode, a divisor or uncounted padding have no translation")
    pool = AveragePool(_pair(kernel), _pair(stride or kernel), _pair(padding))
    return pool, (_source(node),)


def _adaptive_average_pool(node: fx.Node, constant: _Constant) -> Match:
    return AdaptiveAveragePool(_pair(node.args[1])), (_source(node),)


def _mean(node: fx.Node, constant: _Constant) -> Match | None:
    dimensions, keep = _arguments(node, dim=None, keepdim=False)
    if sorted(dimension % 4 for dimension in dimensions) != [2, 3]:
        return None
    operator = AdaptiveAveragePool((1, 1)) if keep else GlobalMean()
    return operator, (_source(node),)


def _flatten(node: fx.Node, constant: _Constant) -> Match | None:
    """Any reshaping of (N, C, H, W) to (N, C * H * W)."""
    before, after = _shape(_source(node)), _shape(node)
    is_flat = after == (BATCH, int(np.prod(before[1:])))
    return (Flatten(), (_source(node),)) if is_flat else None


def _linear(node: fx.Node, constant: _Constant) -> Match:
    weight, bias = _arguments(node, weight=None, bias=None)
    weights = constant(weight)
    biases = np.zeros(len(weights)) if bias is None else constant(bias)
    return FullyConnected(weights, biases), (_source(node),)


def _add(node: fx.Node, constant: _Constant) -> Match | None:
    first, second = node.args[:2]
    if not isinstance(first, fx.Node) or not isinstance(second, fx.Node) or node.kwargs:
        return None  # a number added, or a scaled sum
    return (Add(), (first, second)) if _shape(first) == _shape(second) else None


def _concatenate(node: fx.Node, constant: _Constant) -> Match:
    (dimension,) = _arguments(node, dim=0)
    if dimension % len(_shape(node)) != 1:
        raise _refusal(node, f"along dimension {dimension}; only channels have a translation")
    parts = node.args[0]
    assert isinstance(parts, list | tuple)
    return Concatenate(), tuple(part for part in parts if isinstance(part, fx.Node))


def _relu(node: fx.Node, constant: _Constant) -> Match:
    return Relu(), (_source(node),)


def _channel_shuffle(node: fx.Node, constant: _Constant) -> Match:
    (groups,) = _arguments(node, groups=None)
    return Shuffle(groups), (_source(node),)


_TRANSLATIONS: dict[Any, Callable[[fx.Node, _Constant], Match | None]] = {
    aten.conv2d.default: _convolution,
    aten.batch_norm.default: _batch_norm,
    aten.max_pool2d.default: _max_pool,
    aten.avg_pool2d.default: _average_pool,
    aten.adaptive_avg_pool2d.default: _adaptive_average_pool,
    aten.mean.dim: _mean,
    aten.flatten.using_ints: _flatten,
    aten.view.default: _flatten,
    aten.reshape.default: _flatten,
    aten.linear.default: _linear,
    aten.add.Tensor: _add,
    aten.add_.Tensor: _add,
    aten.cat.default: _concatenate,
    aten.relu.default: _relu,
    aten.relu_.default: _relu,
    aten.channel_shuffle.default: _channel_shuffle,
}

_ALIASES = {aten.dropout.default, aten.dropout_.default, aten.contiguous.default}
"""What passes its input on, in evaluation mode."""

_RESHAPES = {aten.view.default, aten.reshape.default}


def _shuffle(node: fx.Node) -> Match | None:
    """View as (N, g, C/g, H, W), exchange the two middle dimensions, view as (N, C, H, W)."""
    chain = _chain(node, _RESHAPES, {aten.transpose.int}, _RESHAPES)
    if chain is None:
        # a view of what is not contiguous needs a copy first
        chain = _chain(node, _RESHAPES, {aten.contiguous.default}, {aten.transpose.int}, _RESHAPES)
    if chain is None:
        return None
    source, (split, exchange, *_) = chain
    n, channels, *size = _shape(source)
    groups = _shape(split)[1]
    matches = (
        _shape(split) == (n, groups, channels // groups, *size)
        and sorted(exchange.args[1:]) == [1, 2]  # type: ignore[type-var]
        and _shape(node) == _shape(source)
    )
    return (Shuffle(groups), (source,)) if matches else None


def _local_response_norm(node: fx.Node) -> Match | None:
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
    (size, *_), (_, alpha), (_, k), (_, beta) = (
        pool.args[1], scaled.args, shifted.args, power.args,
    )  # fmt: skip
    return LocalResponseNorm(size, alpha, beta, k), (source,)  # type: ignore[arg-type]


def _chain(last: fx.Node, *targets: set[Any]) -> tuple[fx.Node, list[fx.Node]] | None:
    """Walk back from `last` while the targets match; the source, and the nodes from the first."""
    nodes: list[fx.Node] = []
    current = last
    for wanted in targets:
        if current.target not in wanted or not isinstance(current.args[0], fx.Node):
            return None
        nodes.insert(0, current)
        current = current.args[0]
    return current, nodes
