"""ShuffleNet V1 (Zhang et al., 2017, arXiv 1707.01083): table 1, figure 2 and section 3.

The state dict's keys, the place and direction of the shuffle and the order of the
concatenation are those of pytorchcv, so that its published files load as they are.

With squeeze and excitation it is the "ShuffleNet 2x (with SE, g=3)" of table 5. Of that one the
paper gives the multiply-adds (527 M, and 524 M without), the error, and that such networks are 25
to 40% slower on mobile devices (section 4.3); it says neither where the modules are nor how wide.
Here they are where SENet has them in a residual unit (Hu et al., 2017, arXiv 1709.01507, figure
3), at the end of the branch, before the addition or the concatenation, in every unit; and their
reduction is its 16. At 2x that makes 526.5 M.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGE2_WIDTHS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
"""Output channels of stage 2 at 1x for each group count; they double at stages 3 and 4."""

STAGE_UNITS = (4, 8, 4)
"""Units in stages 2, 3 and 4, of which the first has stride 2."""

STEM_WIDTHS = {0.25: 12, 0.5: 12, 0.75: 18, 1.0: 24, 1.5: 24, 2.0: 48}
"""Channels of Conv1 at each scale. These are the widths that the paper's counts of multiply-adds
fit; it does not say so itself, and pytorchcv's files have 24 times the scale (6 at 0.25x). The
paper has no 0.75x network: there the width is that of the published files."""

SE_REDUCTION = 16
"""How many times fewer channels there are in the middle of a `SqueezeExcitation`: SENet's r."""


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Let each group of the next layer see channels of every group of the last (section 3.1).

    `x` is (N, C, H, W) with C divisible by `groups`; channel i moves to
    (i mod C/g) * g + i div C/g.
    """
    n, channels, height, width = x.shape
    x = x.view(n, groups, channels // groups, height, width)
    return x.transpose(1, 2).reshape(n, channels, height, width)


class SqueezeExcitation(nn.Module):
    """Weigh each channel of a map by what is on the whole map (SENet, figure 3).

    The fully connected layers are 1x1 convolutions here, on a map of one pixel. SENet's channels
    all divide by the reduction; where ours do not, the quotient is rounded down.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = max(1, channels // SE_REDUCTION)
        self.conv1 = nn.Conv2d(channels, reduced, 1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(reduced, channels, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape, each channel times a number from 0 to 1."""
        squeezed = x.mean(dim=(2, 3), keepdim=True)
        factors: Tensor = self.sigmoid(self.conv2(self.relu1(self.conv1(squeezed))))
        return x * factors


class ShuffleUnit(nn.Module):
    """A ShuffleNet unit: figure 2 (b) at stride 1, figure 2 (c) at stride 2.

    The bottleneck has a quarter of the output's channels (section 3.2). At stride 2 the
    shortcut's channels are part of the output, so the branch makes only the rest.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        groups: int,
        stride: int,
        first: bool,
        inverse_shuffle: bool = False,
        squeeze_excitation: bool = False,
    ) -> None:
        super().__init__()
        middle = out_channels // 4
        branch = out_channels - in_channels if stride == 2 else out_channels
        # A shuffle with C/g groups undoes one with g.
        self.shuffle_groups = middle // groups if inverse_shuffle else groups
        self.stride = stride
        # The first pointwise convolution of stage 2 is not grouped: its input has too few
        # channels for that (section 3.2).
        self.compress_conv1 = nn.Conv2d(
            in_channels, middle, 1, groups=1 if first else groups, bias=False
        )
        self.compress_bn1 = nn.BatchNorm2d(middle)
        self.compress_relu1 = nn.ReLU()
        self.dw_conv2 = nn.Conv2d(
            middle, middle, 3, stride=stride, padding=1, groups=middle, bias=False
        )
        self.dw_bn2 = nn.BatchNorm2d(middle)
        self.expand_conv3 = nn.Conv2d(middle, branch, 1, groups=groups, bias=False)
        self.expand_bn3 = nn.BatchNorm2d(branch)
        self.se = SqueezeExcitation(branch) if squeeze_excitation else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, H / stride, W / stride), halves rounded up."""
        branch = self.compress_relu1(self.compress_bn1(self.compress_conv1(x)))
        branch = channel_shuffle(branch, self.shuffle_groups)
        # No activation after the depthwise convolution (section 3.2).
        branch = self.dw_bn2(self.dw_conv2(branch))
        branch = self.expand_bn3(self.expand_conv3(branch))
        if self.se is not None:
            branch = self.se(branch)
        if self.stride == 2:
            shortcut = functional.avg_pool2d(x, kernel_size=3, stride=2, padding=1)
            return functional.relu(torch.cat((branch, shortcut), dim=1))
        return functional.relu(branch + x)


class Stem(nn.Module):
    """Conv1 and MaxPool of table 1: a quarter of the input's height and width is left."""

    def __init__(self, channels: int, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.activation = nn.ReLU() if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, channels, H / 4, W / 4), rounded up."""
        x = self.activation(self.bn(self.conv(x)))
        return functional.max_pool2d(x, kernel_size=3, stride=2, padding=1)


class ShuffleNetV1(nn.Module):
    """ShuffleNet `scale`x with `groups` groups: (N, 3, H, W) -> logits (N, num_classes).

    Args:
        groups: g of table 1: 1, 2, 3, 4 or 8.
        scale: s of "ShuffleNet sx", on the widths of stages 2 to 4 (section 3.2, end).
        stem_channels: channels of Conv1; None takes `STEM_WIDTHS`. Published files differ.
        num_classes: logits.
        stem_relu: whether Conv1 has a ReLU. The paper does not say; one published convention
            has none.
        inverse_shuffle: shuffle the other way round, as another one does (`conventions`).
        squeeze_excitation: end the branch of each unit with a `SqueezeExcitation`.

    A bottleneck must divide into the groups, so each stage's width must be a multiple of
    4g and the stem's a multiple of g. The paper does not say how it rounded those that are
    not (g=2, 4 and 8 at some scales): here each goes to the nearest width that works, upward
    from a tie, and `rounded` tells which. A `stem_channels` given is taken as it is.

    Raises:
        ValueError: a group count that table 1 does not have, or a stem that does not divide.
    """

    def __init__(
        self,
        groups: int = 3,
        scale: float = 1.0,
        *,
        stem_channels: int | None = None,
        num_classes: int = 1000,
        stem_relu: bool = True,
        inverse_shuffle: bool = False,
        squeeze_excitation: bool = False,
    ) -> None:
        super().__init__()
        if groups not in STAGE2_WIDTHS:
            raise ValueError(f"groups {groups}: table 1 has {list(STAGE2_WIDTHS)}")
        if stem_channels is not None and (stem_channels < 1 or stem_channels % groups):
            raise ValueError(f"stem of {stem_channels} channels: not a multiple of {groups}")

        exact = {f"stage{i + 2}": STAGE2_WIDTHS[groups] * scale * 2**i for i in range(3)}
        widths = dict(zip(exact, stage_widths(groups, scale), strict=True))
        if stem_channels is None:
            exact["stem"] = STEM_WIDTHS.get(scale, 24 * scale)
            stem_channels = widths["stem"] = nearest_multiple(exact["stem"], groups)
        self.stem_relu = stem_relu
        self.inverse_shuffle = inverse_shuffle
        self.rounded: dict[str, tuple[float, int]] = {
            name: (exact[name], widths[name]) for name in widths if widths[name] != exact[name]
        }
        """Widths that did not divide: name -> (by the paper's rule, as built)."""

        stages: OrderedDict[str, nn.Module] = OrderedDict(init_block=Stem(stem_channels, stem_relu))
        channels = stem_channels
        for index, units in enumerate(STAGE_UNITS):
            width = widths[f"stage{index + 2}"]
            stage: OrderedDict[str, nn.Module] = OrderedDict()
            for unit in range(units):
                stage[f"unit{unit + 1}"] = ShuffleUnit(
                    channels,
                    width,
                    groups,
                    stride=2 if unit == 0 else 1,
                    first=index == unit == 0,
                    inverse_shuffle=inverse_shuffle,
                    squeeze_excitation=squeeze_excitation,
                )
                channels = width
            # pytorchcv counts the stages from 1; the paper's first is stage 2.
            stages[f"stage{index + 1}"] = nn.Sequential(stage)
        self.features = nn.Sequential(stages)
        self.output = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes), for any H and W."""
        x = self.features(x)
        # A mean over whatever is left, not a 7x7 window: the size of the input stays free.
        logits: Tensor = self.output(x.mean(dim=(2, 3)))
        return logits


def stage_widths(groups: int, scale: float) -> tuple[int, ...]:
    """Output channels of stages 2, 3 and 4 as they are built: multiples of 4g."""
    width = STAGE2_WIDTHS[groups] * scale
    return tuple(nearest_multiple(width * 2**i, 4 * groups) for i in range(len(STAGE_UNITS)))


def nearest_multiple(width: float, of: int) -> int:
    """The multiple of `of` nearest to `width`, at least `of`; from a tie upward."""
    return max(of, int((width + of / 2) // of) * of)
