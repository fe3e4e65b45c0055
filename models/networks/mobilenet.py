"""MobileNet V1 (Howard et al., 2017, arXiv 1704.04861, table 1), of tables 5 and 8."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    # The table prints stride 2 here, which its own output size of 7x7 contradicts.
    (1024, 1),
)
"""Output channels at 1.0 and stride of each depthwise separable convolution."""


class SeparableConvolution(nn.Module):
    """A 3x3 depthwise and a 1x1 convolution, each with BN and ReLU (its figure 3)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, 3, stride, padding=1, groups=in_channels, bias=False
        )
        self.depthwise_bn = nn.BatchNorm2d(in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.pointwise_bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, H / stride, W / stride), rounded up."""
        x = functional.relu(self.depthwise_bn(self.depthwise(x)))
        return functional.relu(self.pointwise_bn(self.pointwise(x)))


class MobileNetV1(nn.Module):
    """(N, 3, H, W) -> logits (N, num_classes).

    `scale` is the width multiplier: 1.0, 0.75, 0.5 or 0.25, each with widths that are whole.
    """

    def __init__(self, scale: float = 1.0, *, num_classes: int = 1000) -> None:
        super().__init__()
        channels = int(32 * scale)
        self.conv = nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        blocks = []
        for width, stride in BLOCKS:
            blocks.append(SeparableConvolution(channels, int(width * scale), stride))
            channels = int(width * scale)
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        x = functional.relu(self.bn(self.conv(x)))
        logits: Tensor = self.output(self.blocks(x).mean(dim=(2, 3)))
        return logits
