"""What ATen operators mean in a `Graph`: one function each, and the table of them.

What has no operator of its own in an exported program is recognised in `chains`.
Reference: https://docs.pytorch.org/docs/stable/torch.compiler_ir.html
"""

from __future__ import annotations

from collections.abc import Callable
from operator import getitem
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from shufflenet_deploy.export.graph.operators import (
    AdaptiveAveragePool,
    Add,
    Affine,
    AveragePool,
    ChannelScale,
    Concatenate,
    Convolution,
    Elu,
    Flatten,
    FullyConnected,
    Gather,
    Gelu,
    GlobalMean,
    LeakyRelu,
    MaxPool,
    Multiply,
    Operator,
    Relu,
    Shuffle,
    Sigmoid,
    Slice,
    Tanh,
)
from shufflenet_deploy.export.graph.windows import Pair, ceil_padding
from shufflenet_deploy.models.quantisation import STEPS, Range
from shufflenet_deploy.runtime.errors import ExportError

BATCH = 2
"""How many images are traced: two, so that no dimension of one is mistaken for the batch."""

aten = torch.ops.aten

Match = tuple[Operator, tuple["fx.Node | Match", ...]]
"""What an fx node computes, and from what: other nodes, or what is computed of them on the way."""


_CREATED = {aten.arange.default, aten.full.default, aten.ones.default, aten.zeros.default}
"""The operators that make a tensor of numbers alone, the same each time."""


def refusal(node: fx.Node, reason: str) -> ExportError:
    """The error for an operator, by its name."""
    return ExportError(f"cannot export operator {node.target} ({node.name}): {reason}")


def source_of(node: fx.Node) -> fx.Node:
    """The node that `node` reads first."""
    source = node.args[0]
    assert isinstance(source, fx.Node)
    return source


def arguments_of(node: fx.Node, **defaults: Any) -> list[Any]:
    """The arguments after the first, in the order of `defaults`, which fill in what is missing."""
    given = {**dict(zip(defaults, node.args[1:], strict=False)), **node.kwargs}
    return [given.get(name, default) for name, default in defaults.items()]


class Constants:
    """What the program knows before it runs: weights, buffers, and what is made of them alone.

    `known` has those of its placeholders, by their names.
    """

    def __init__(self, known: dict[str, Tensor]) -> None:
        self._known = known

    def __contains__(self, node: object) -> bool:
        return isinstance(node, fx.Node) and node.name in self._known

    def __call__(self, node: fx.Node) -> NDArray[np.float64]:
        """The constant's numbers; a refusal where it is none."""
        if node not in self:
            raise refusal(node, "weights that depend on the images have no translation")
        numbers: NDArray[np.float64] = self._known[node.name].double().numpy()
        return numbers

    def learn(self, node: fx.Node) -> bool:
        """Compute what `node` makes, where that is one tensor of constants; whether it is."""
        if not self._is_constant(node):
            return False
        target: Any = node.target
        if target is aten.detach_.default:
            target = aten.detach.default  # which takes views too
        made = target(*self._of_nodes(node.args), **dict(self._of_nodes(node.kwargs)))
        if isinstance(made, Tensor):
            self._known[node.name] = made
        return isinstance(made, Tensor)

    def _of_nodes(self, arguments: Any) -> Any:
        return fx.map_arg(arguments, lambda source: self._known[source.name])

    def _is_constant(self, node: fx.Node) -> bool:
        target = node.target
        if not isinstance(target, torch._ops.OpOverload):
            return False
        if target._schema.is_mutable and target is not aten.detach_.default:
            return False
        sources = node.all_input_nodes
        return all(source in self for source in sources) if sources else target in _CREATED


def _pair(value: Any) -> Pair:
    """PyTorch's size of one number or two."""
    numbers = [value] if isinstance(value, int) else list(value)
    return (numbers[0], numbers[-1])


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """The shape of what `node` computes, the batch in front."""
    return tuple(node.meta["val"].shape)


def _convolution(node: fx.Node, constant: Constants) -> Match:
    weight, bias, stride, padding, dilation, groups = arguments_of(
        node, weight=None, bias=None, stride=1, padding=0, dilation=1, groups=1
    )
    weights = constant(weight)
    biases = np.zeros(len(weights)) if bias is None else constant(bias)
    window = _pair(stride), _pair(padding)
    convolution = Convolution(weights, biases, *window, groups, dilation=_pair(dilation))
    return convolution, (source_of(node),)


def _batch_norm(node: fx.Node, constant: Constants) -> Match:
    weight, bias, mean, variance, training, _, epsilon = arguments_of(
        node, weight=None, bias=None, mean=None, var=None, training=False, momentum=0, eps=1e-5
    )
    if training:
        reason = "it normalises by each batch's own statistics, with track_running_stats=False"
        raise refusal(node, reason)
    scale = 1 / np.sqrt(constant(variance) + epsilon)
    shift = -constant(mean) * scale
    if weight is not None:  # PyTorch has both or, with affine=False, none
        factors = constant(weight)
        scale, shift = scale * factors, shift * factors + constant(bias)
    return Affine(scale, shift), (source_of(node),)


def _max_pool(node: fx.Node, constant: Constants) -> Match:
    kernel, stride, padding, dilation, ceil = arguments_of(
        node, kernel=None, stride=None, padding=0, dilation=1, ceil=False
    )
    if _pair(dilation) != (1, 1):
        raise refusal(node, "dilation has no translation")
    window = _pair(kernel), _pair(stride or kernel), _pair(padding)
    source = source_of(node)
    after = ceil_padding(_pair(shape_of(source)[2:]), *window) if ceil else (0, 0)
    return MaxPool(*window, after=after), (source,)


def _average_pool(node: fx.Node, constant: Constants) -> Match:
    kernel, stride, padding, ceil, count_padding, divisor = arguments_of(
        node, kernel=None, stride=None, padding=0, ceil=False, count=True, divisor=None
    )
    if ceil or divisor is not None or not (count_padding or _pair(padding) == (0, 0)):
        raise refusal(node, "ceil_mode, a divisor or uncounted padding have no translation")
    pool = AveragePool(_pair(kernel), _pair(stride or kernel), _pair(padding))
    return pool, (source_of(node),)


def _adaptive_average_pool(node: fx.Node, constant: Constants) -> Match:
    return AdaptiveAveragePool(_pair(node.args[1])), (source_of(node),)


def _mean(node: fx.Node, constant: Constants) -> Match | None:
    dimensions, keep = arguments_of(node, dim=None, keepdim=False)
    source = source_of(node)
    rank = len(shape_of(source))
    over = sorted(dimension % rank for dimension in dimensions)
    if over == [2] and rank == 3 and source.target is node.target and not keep:
        inner, inner_keeps = arguments_of(source, dim=None, keepdim=False)
        if not inner_keeps and len(inner) == 1 and inner[0] % 4 in (2, 3):  # one side, then both
            return GlobalMean(), (source_of(source),)
    return (GlobalMean(keeps_map=keep), (source,)) if over == [2, 3] and rank == 4 else None


def _maximum(node: fx.Node, constant: Constants) -> Match | None:
    """The maximum of each channel's map."""
    dimensions, keep = arguments_of(node, dim=(), keepdim=False)
    source = source_of(node)
    if sorted(dimension % 4 for dimension in dimensions) != [2, 3] or len(shape_of(source)) != 4:
        return None
    return _global_maximum(source) if keep else (Flatten(), (_global_maximum(source),))


def _global_maximum(source: fx.Node) -> Match:
    size = _pair(shape_of(source)[2:])
    return MaxPool(size, size), (source,)


def _flatten(node: fx.Node, constant: Constants) -> Match | None:
    """Any reshaping of (N, C, H, W) to (N, C * H * W)."""
    before, after = shape_of(source_of(node)), shape_of(node)
    is_flat = after == (BATCH, int(np.prod(before[1:])))
    return (Flatten(), (source_of(node),)) if is_flat else None


def _linear(node: fx.Node, constant: Constants) -> Match:
    weight, bias = arguments_of(node, weight=None, bias=None)
    weights = constant(weight)
    biases = np.zeros(len(weights)) if bias is None else constant(bias)
    return FullyConnected(weights, biases), (source_of(node),)


def _add(node: fx.Node, constant: Constants) -> Match | None:
    first, second = node.args[:2]
    if node.kwargs:
        return None  # a scaled sum
    for value, other in ((first, second), (second, first)):
        if (shift := _per_channel(value, other, constant)) is not None:
            return Affine(np.ones_like(shift), shift), (value,)  # type: ignore[return-value]
    return _of_two(Add(), first, second)


def _subtract(node: fx.Node, constant: Constants) -> Match | None:
    first, second = node.args[:2]
    if node.kwargs:
        return None
    if node.target is aten.rsub.Scalar:
        first, second = second, first
    if (shift := _per_channel(first, second, constant)) is not None:
        return Affine(np.ones_like(shift), -shift), (first,)  # type: ignore[return-value]
    if (shift := _per_channel(second, first, constant)) is not None:
        return Affine(-np.ones_like(shift), shift), (second,)  # type: ignore[return-value]
    if not isinstance(first, fx.Node) or not isinstance(second, fx.Node):
        return None
    alike = shape_of(first) == shape_of(second)
    return (Add(), (first, _negated(second))) if alike else None


def _negate(node: fx.Node, constant: Constants) -> Match:
    return _negated(source_of(node))


def _negated(source: fx.Node) -> Match:
    channels = shape_of(source)[1]
    return Affine(-np.ones(channels), np.zeros(channels)), (source,)


def _divide(node: fx.Node, constant: Constants) -> Match | None:
    first, second = node.args[:2]
    divisor = None if node.kwargs else _per_channel(first, second, constant)
    if divisor is None or not divisor.all():
        return None
    return Affine(1 / divisor, np.zeros_like(divisor)), (first,)  # type: ignore[return-value]


def _multiply(node: fx.Node, constant: Constants) -> Match | None:
    """A map times constants, times one number for each of its channels, or times another map."""
    first, second = node.args[:2]
    for value, other in ((first, second), (second, first)):
        if (scale := _per_channel(value, other, constant)) is not None:
            return Affine(scale, np.zeros_like(scale)), (value,)  # type: ignore[return-value]
    if not isinstance(first, fx.Node) or not isinstance(second, fx.Node):
        return None
    for map_, factors in ((first, second), (second, first)):
        shape = shape_of(map_)
        if len(shape) == 4 and shape_of(factors) == (*shape[:2], 1, 1):
            return ChannelScale(), (map_, factors)
    return _of_two(Multiply(), first, second)


def _of_two(operator: Add | Multiply, first: object, second: object) -> Match | None:
    """The operator on two values of one shape."""
    if not isinstance(first, fx.Node) or not isinstance(second, fx.Node):
        return None
    return (operator, (first, second)) if shape_of(first) == shape_of(second) else None


def _per_channel(value: object, other: object, constant: Constants) -> NDArray[np.float64] | None:
    """The numbers of `other` for each channel of `value`, (C,); None where they are not such."""
    if not isinstance(value, fx.Node) or value in constant:
        return None
    shape = shape_of(value)
    if isinstance(other, int | float):
        return np.full(shape[1], float(other))
    if other not in constant:
        return None
    assert isinstance(other, fx.Node)
    numbers = constant(other)
    sides = (*[1] * (len(shape) - numbers.ndim), *numbers.shape)
    if sides not in ((1, shape[1], *[1] * (len(shape) - 2)), (1,) * len(shape)):
        return None
    return np.resize(numbers, shape[1])


def _slice(node: fx.Node, constant: Constants) -> Match | None:
    dimension, begin, end, step = arguments_of(node, dim=0, start=None, end=None, step=1)
    source = source_of(node)
    if not _is_channels(dimension, source):
        return None
    return _selected(source, range(*slice(begin, end, step).indices(shape_of(source)[1])))


def _narrow(node: fx.Node, constant: Constants) -> Match | None:
    dimension, begin, length = arguments_of(node, dim=0, start=0, length=0)
    source = source_of(node)
    if not _is_channels(dimension, source):
        return None
    return _selected(source, range(begin, begin + length))


def _part(node: fx.Node, constant: Constants) -> Match | None:
    """One of the parts that a split makes, whose sizes are those of its results."""
    split, index = source_of(node), node.args[1]
    if split.target is aten.adaptive_max_pool2d.default and index == 0:
        return _adaptive_max_pool(split)
    if split.target not in _SPLITS:
        return None
    _, dimension = arguments_of(split, sizes=None, dim=0)
    source = source_of(split)
    if not _is_channels(dimension, source):
        return None
    assert isinstance(index, int)
    sizes = [part.shape[1] for part in split.meta["val"]]
    begin = sum(sizes[:index])
    return _selected(source, range(begin, begin + sizes[index]))


def _adaptive_max_pool(node: fx.Node) -> Match | None:
    return _global_maximum(source_of(node)) if _pair(node.args[1]) == (1, 1) else None


def _is_channels(dimension: int, source: fx.Node) -> bool:
    return dimension % len(shape_of(source)) == 1


def _selected(source: fx.Node, channels: range) -> Match | None:
    if not channels:
        return None
    if channels.step == 1:
        return Slice(channels.start, channels.stop), (source,)
    return Gather(tuple(channels)), (source,)


def _concatenate(node: fx.Node, constant: Constants) -> Match:
    (dimension,) = arguments_of(node, dim=0)
    if dimension % len(shape_of(node)) != 1:
        raise refusal(node, f"along dimension {dimension}; only channels have a translation")
    parts = node.args[0]
    assert isinstance(parts, list | tuple)
    return Concatenate(), tuple(part for part in parts if isinstance(part, fx.Node))


def _always(operator: Operator) -> Callable[[fx.Node, Constants], Match]:
    """The translation of what has one input, and no arguments."""
    return lambda node, constant: (operator, (source_of(node),))


def _clamp(node: fx.Node, constant: Constants) -> Match | None:
    low, high = arguments_of(node, min=None, max=None)
    if low != 0 or not (high is None or (isinstance(high, int | float) and high > 0)):
        return None  # between other ends
    return Relu(None if high is None else float(high)), (source_of(node),)


def _hardtanh(node: fx.Node, constant: Constants) -> Match | None:
    low, high = arguments_of(node, min_val=-1.0, max_val=1.0)
    return (Relu(float(high)), (source_of(node),)) if low == 0 < high else None


def _leaky_relu(node: fx.Node, constant: Constants) -> Match:
    (slope,) = arguments_of(node, negative_slope=0.01)
    return LeakyRelu(np.full(shape_of(node)[1], float(slope))), (source_of(node),)


def _prelu(node: fx.Node, constant: Constants) -> Match:
    (weight,) = arguments_of(node, weight=None)
    return LeakyRelu(np.resize(constant(weight), shape_of(node)[1])), (source_of(node),)


def _elu(node: fx.Node, constant: Constants) -> Match | None:
    alpha, scale, input_scale = arguments_of(node, alpha=1.0, scale=1.0, input_scale=1.0)
    return (Elu(float(alpha)), (source_of(node),)) if scale == input_scale == 1 else None


def _gelu(node: fx.Node, constant: Constants) -> Match:
    (approximate,) = arguments_of(node, approximate="none")
    return Gelu(by_tanh=approximate == "tanh"), (source_of(node),)


def _hard_sigmoid(node: fx.Node, constant: Constants) -> Match:
    return _hard_curve(source_of(node))


def _hard_swish(node: fx.Node, constant: Constants) -> Match:
    source = source_of(node)
    return Multiply(), (source, _hard_curve(source))


def _hard_curve(source: fx.Node) -> Match:
    """At most 6 of x + 3, and no less than 0, over 6 (Howard et al., 2019, arXiv 1905.02244)."""
    none, one = np.zeros(shape_of(source)[1]), np.ones(shape_of(source)[1])
    limited: Match = (Relu(6.0), ((Affine(one, 3 * one), (source,)),))
    return Affine(one / 6, none), (limited,)


def _silu(node: fx.Node, constant: Constants) -> Match:
    source = source_of(node)
    return Multiply(), (source, (Sigmoid(), (source,)))


def _channel_shuffle(node: fx.Node, constant: Constants) -> Match:
    (groups,) = arguments_of(node, groups=None)
    return Shuffle(groups), (source_of(node),)


def rounded_range(node: fx.Node) -> Range:
    """Between which numbers `models.quantisation.rounded` rounds. Refuses other roundings."""
    step, zero, first, last = arguments_of(node, scale=0.0, zero_point=0, min=0, max=STEPS)
    if (first, last) != (0, STEPS):
        raise refusal(node, f"steps from {first} to {last} have no translation")
    return (first - zero) * step, (last - zero) * step


_SPLITS = {aten.chunk.default, aten.split.Tensor, aten.split_with_sizes.default}

TRANSLATIONS: dict[Any, Callable[[fx.Node, Constants], Match | None]] = {
    aten.conv2d.default: _convolution,
    aten.batch_norm.default: _batch_norm,
    aten.max_pool2d.default: _max_pool,
    aten.avg_pool2d.default: _average_pool,
    aten.adaptive_avg_pool2d.default: _adaptive_average_pool,
    aten.mean.dim: _mean,
    aten.amax.default: _maximum,
    aten.flatten.using_ints: _flatten,
    aten.squeeze.default: _flatten,
    aten.squeeze.dims: _flatten,
    aten.view.default: _flatten,
    aten.reshape.default: _flatten,
    aten.linear.default: _linear,
    aten.add.Tensor: _add,
    aten.add_.Tensor: _add,
    aten.mul.Tensor: _multiply,
    aten.mul_.Tensor: _multiply,
    aten.sub.Tensor: _subtract,
    aten.sub_.Tensor: _subtract,
    aten.rsub.Scalar: _subtract,
    aten.neg.default: _negate,
    aten.neg_.default: _negate,
    aten.div.Tensor: _divide,
    aten.div_.Tensor: _divide,
    aten.cat.default: _concatenate,
    aten.slice.Tensor: _slice,
    aten.narrow.default: _narrow,
    getitem: _part,
    aten.relu.default: _always(Relu()),
    aten.relu_.default: _always(Relu()),
    aten.relu6.default: _always(Relu(6.0)),
    aten.relu6_.default: _always(Relu(6.0)),
    aten.clamp.default: _clamp,
    aten.clamp_.default: _clamp,
    aten.clamp_min.default: _clamp,
    aten.clamp_min_.default: _clamp,
    aten.hardtanh.default: _hardtanh,
    aten.hardtanh_.default: _hardtanh,
    aten.leaky_relu.default: _leaky_relu,
    aten.leaky_relu_.default: _leaky_relu,
    aten.prelu.default: _prelu,
    aten.elu.default: _elu,
    aten.elu_.default: _elu,
    aten.gelu.default: _gelu,
    aten.hardsigmoid.default: _hard_sigmoid,
    aten.hardsigmoid_.default: _hard_sigmoid,
    aten.hardswish.default: _hard_swish,
    aten.hardswish_.default: _hard_swish,
    aten.silu.default: _silu,
    aten.silu_.default: _silu,
    aten.sigmoid.default: _always(Sigmoid()),
    aten.sigmoid_.default: _always(Sigmoid()),
    aten.tanh.default: _always(Tanh()),
    aten.tanh_.default: _always(Tanh()),
    aten.channel_shuffle.default: _channel_shuffle,
}

ALIASES = {
    *(aten.dropout.default, aten.dropout_.default, aten.contiguous.default),
    *(aten.clone.default, aten.detach.default, aten.alias.default),
}
"""The operators that pass their input on, in evaluation mode."""
