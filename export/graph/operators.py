"""The operators of a `Graph`, each with the shape of what it makes.

They are neutral of layout and of batch: the shape of a value is (channels, height, width), or
(channels,) after a flattening and, unless it keeps a map, after a global mean. Weights have
PyTorch's order. `shape` raises `ValueError` where the shapes of the inputs do not fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.export.graph.windows import Pair, window_counts

Array = NDArray[np.floating[Any]]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Relu:
    """max(x, 0), and at most `limit`, such as 6 (Krizhevsky, "Convolutional Deep Belief Networks").

    The layers that have an `activation` do it to what they make, at no cost.
    """

    limit: float | None = None

    def shape(self, values: Shape) -> Shape:
        """Unchanged."""
        return values


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
    activation: Relu | None = None
    dilation: Pair = (1, 1)

    @property
    def kernel(self) -> Pair:
        """Height and width of the filters."""
        return self.weight.shape[2], self.weight.shape[3]

    @property
    def window(self) -> Pair:
        """Height and width of what a filter sees: more than its own where it is dilated."""
        (height, width), (down, across) = self.kernel, self.dilation
        return (height - 1) * down + 1, (width - 1) * across + 1

    @property
    def is_depthwise(self) -> bool:
        """One filter for each channel."""
        outputs, inputs_each = self.weight.shape[:2]
        return bool(self.groups == outputs and inputs_each == 1)

    def shape(self, images: Shape) -> Shape:
        """As the class says."""
        _expect(images[0] == self.weight.shape[1] * self.groups, "channels")
        return (len(self.bias), *window_counts(images[1:], self.window, self.stride, self.padding))


@dataclass(frozen=True)
class MaxPool:
    """Maximum over windows. Padding never wins, as if it were minus infinity.

    `non_negative` states that the input is known to be: zeros may then stand for the padding.
    """

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    non_negative: bool = False
    after: Pair = (0, 0)
    """Further padding below and to the right, as `windows.ceil_padding` has it."""

    @property
    def is_padded(self) -> bool:
        """Whether windows go beyond the map anywhere."""
        return self.padding != (0, 0) or self.after != (0, 0)

    def shape(self, images: Shape) -> Shape:
        """(C, H, W) -> (C, H', W')."""
        windows = window_counts(images[1:], self.kernel, self.stride, self.padding, self.after)
        return (images[0], *windows)


@dataclass(frozen=True)
class AveragePool:
    """Mean over windows; padding counts as zeros, as in PyTorch by default."""

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)

    def shape(self, images: Shape) -> Shape:
        """(C, H, W) -> (C, H', W')."""
        return (images[0], *window_counts(images[1:], self.kernel, self.stride, self.padding))


@dataclass(frozen=True)
class AdaptiveAveragePool:
    """Mean over windows that divide the map into `size`, as PyTorch's layer of that name."""

    size: Pair

    def shape(self, images: Shape) -> Shape:
        """(C, H, W) -> (C, *size)."""
        return (images[0], *self.size)


@dataclass(frozen=True)
class GlobalMean:
    """Mean over height and width: (C, H, W) -> (C,), or (C, 1, 1) where it `keeps_map`."""

    keeps_map: bool = False

    def shape(self, images: Shape) -> Shape:
        """As the class says."""
        return (images[0], 1, 1) if self.keeps_map else images[:1]


@dataclass(frozen=True)
class Flatten:
    """(C, H, W) -> (C * H * W,), channels outermost."""

    def shape(self, images: Shape) -> Shape:
        """As the class says."""
        return (prod(images),)


@dataclass(frozen=True, eq=False)
class FullyConnected:
    """`weight` (O, I), `bias` (O,): (I,) -> (O,)."""

    weight: Array
    bias: Array
    activation: Relu | None = None

    def shape(self, features: Shape) -> Shape:
        """(I,) -> (O,)."""
        _expect(features == self.weight.shape[1:], "features")
        return self.weight.shape[:1]


@dataclass(frozen=True)
class Add:
    """Sum of two values of one shape."""

    activation: Relu | None = None

    def shape(self, first: Shape, second: Shape) -> Shape:
        """That of both."""
        _expect(first == second, "shapes that differ")
        return first


@dataclass(frozen=True)
class Multiply:
    """Product of two values of one shape."""

    activation: Relu | None = None

    def shape(self, first: Shape, second: Shape) -> Shape:
        """That of both."""
        _expect(first == second, "shapes that differ")
        return first


@dataclass(frozen=True)
class ChannelScale:
    """Each channel of the first value times its number in the second: (C, H, W) and (C, 1, 1)."""

    activation: Relu | None = None

    def shape(self, images: Shape, factors: Shape) -> Shape:
        """That of the first."""
        _expect(factors == (images[0], 1, 1), "channels")
        return images


@dataclass(frozen=True)
class Concatenate:
    """Along the channels."""

    def shape(self, first: Shape, *others: Shape) -> Shape:
        """Any number of maps of one size -> all their channels."""
        _expect(all(other[1:] == first[1:] for other in others), "sizes that differ")
        return (first[0] + sum(other[0] for other in others), *first[1:])


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-x))."""

    def shape(self, values: Shape) -> Shape:
        """Unchanged."""
        return values


@dataclass(frozen=True)
class Tanh:
    """The hyperbolic tangent."""

    def shape(self, values: Shape) -> Shape:
        """Unchanged."""
        return values


@dataclass(frozen=True)
class Elu:
    """x, or alpha * (exp(x) - 1) where x is negative (Clevert et al., 2015, arXiv 1511.07289)."""

    alpha: float = 1.0

    def shape(self, values: Shape) -> Shape:
        """Unchanged."""
        return values


@dataclass(frozen=True)
class Gelu:
    """x times the standard normal distribution's share below x (arXiv 1606.08415).

    `by_tanh` takes that paper's approximation of it.
    """

    by_tanh: bool = False

    def shape(self, values: Shape) -> Shape:
        """Unchanged."""
        return values


@dataclass(frozen=True, eq=False)
class LeakyRelu:
    """x, or x times the channel's number in `slopes` (C,) where x is negative.

    With slopes that differ, PReLU (He et al., 2015, arXiv 1502.01852, section 2.1).
    """

    slopes: Array

    @property
    def slope(self) -> float | None:
        """That of all channels; None where they differ."""
        first = float(self.slopes[0])
        return first if bool((self.slopes == first).all()) else None

    def shape(self, values: Shape) -> Shape:
        """Unchanged."""
        _expect(values[:1] == self.slopes.shape, "channels")
        return values


@dataclass(frozen=True)
class Shuffle:
    """The paper's channel shuffle: output k is input `shuffle_order(C, groups)[k]`."""

    groups: int

    def shape(self, images: Shape) -> Shape:
        """Unchanged."""
        _expect(images[0] % self.groups == 0, "groups")
        return images


@dataclass(frozen=True)
class Slice:
    """The channels from `begin` to before `end`."""

    begin: int
    end: int

    def shape(self, images: Shape) -> Shape:
        """(C, ...) -> (end - begin, ...)."""
        _expect(0 <= self.begin < self.end <= images[0], "channels")
        return (self.end - self.begin, *images[1:])


@dataclass(frozen=True)
class Gather:
    """Any selection of channels: output k is input ``order[k]``."""

    order: tuple[int, ...]

    def shape(self, images: Shape) -> Shape:
        """(C, H, W) -> (as many as are selected, H, W)."""
        _expect(max(self.order) < images[0], "channels")
        return (len(self.order), *images[1:])


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

    def shape(self, values: Shape) -> Shape:
        """Unchanged."""
        return values


@dataclass(frozen=True, eq=False)
class Affine:
    """x * scale + shift for each channel, both (C,): BN, or arithmetic with constants.

    Capture makes it a part of the layer before it, where there is one.
    """

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    activation: Relu | None = None

    def shape(self, values: Shape) -> Shape:
        """Unchanged."""
        _expect(values[:1] == self.scale.shape == self.shift.shape, "channels")
        return values


Operator = (
    Convolution | MaxPool | AveragePool | AdaptiveAveragePool | GlobalMean | Flatten
    | FullyConnected | Add | Multiply | ChannelScale | Concatenate | Relu | LeakyRelu | Elu | Gelu
    | Sigmoid | Tanh | Shuffle | Slice | Gather | LocalResponseNorm | Affine
)  # fmt: skip


Activating = Convolution | FullyConnected | Affine | Add | Multiply | ChannelScale
"""The operators that can do an `activation` to what they make."""


def shuffle_order(channels: int, groups: int) -> NDArray[np.intp]:
    """The channel that a shuffle with `groups` puts at each place (section 3.1 of the paper)."""
    return np.arange(channels).reshape(groups, channels // groups).T.ravel()


def _expect(condition: bool, reason: str) -> None:
    if not condition:
        raise ValueError(reason)
