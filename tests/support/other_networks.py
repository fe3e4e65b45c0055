"""Networks that are not ours, as their users write them from the papers; small ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


class _ShuffleUnit(nn.Module):
    """ShuffleNet V2's (Ma et al., 2018, arXiv 1807.11164, figure 3), with stride 1 or 2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.stride = stride
        self.shortcut = nn.Sequential(
            _convolution(inputs, inputs, 3, 2, inputs),
            nn.BatchNorm2d(inputs),
            _convolution(inputs, half, 1, 1, 1),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
        )
        first = inputs if stride == 2 else half
        self.branch = nn.Sequential(
            _convolution(first, half, 1, 1, 1),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
            _convolution(half, half, 3, stride, half),
            nn.BatchNorm2d(half),
            _convolution(half, half, 1, 1, 1),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            kept, changed = x.chunk(2, dim=1)
            x = torch.cat((kept, self.branch(changed)), dim=1)
        else:
            x = torch.cat((self.shortcut(x), self.branch(x)), dim=1)
        n, channels, height, width = x.shape
        x = x.view(n, 2, channels // 2, height, width)
        return torch.transpose(x, 1, 2).contiguous().view(n, -1, height, width)


def shufflenet_v2(width: int = 16, classes: int = 7) -> nn.Sequential:
    """Its stem, two stages and its head."""
    return nn.Sequential(
        _convolution(3, 8, 3, 2, 1),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        _ShuffleUnit(8, width, 2),
        _ShuffleUnit(width, width, 1),
        _ShuffleUnit(width, 2 * width, 2),
        _ShuffleUnit(2 * width, 2 * width, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, classes),
    )


class _InvertedResidual(nn.Module):
    """MobileNet V2's (Sandler et al., 2018, arXiv 1801.04381, table 1)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            _convolution(inputs, wide, 1, 1, 1),
            nn.BatchNorm2d(wide),
            nn.ReLU6(inplace=True),
            _convolution(wide, wide, 3, stride, wide),
            nn.BatchNorm2d(wide),
            nn.ReLU6(inplace=True),
            _convolution(wide, outputs, 1, 1, 1),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


def mobilenet_v2(classes: int = 7) -> nn.Sequential:
    """Its stem, three blocks and its head."""
    return nn.Sequential(
        _convolution(3, 8, 3, 2, 1),
        nn.BatchNorm2d(8),
        nn.ReLU6(inplace=True),
        _InvertedResidual(8, 12, 2, 3),
        _InvertedResidual(12, 12, 1, 4),
        _InvertedResidual(12, 16, 2, 4),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(16, classes),
    )


class _SqueezeExcitation(nn.Module):
    """MobileNet V3's, with a hard sigmoid (Howard et al., 2019, arXiv 1905.02244)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // 4, 1)
        self.fc2 = nn.Conv2d(channels // 4, channels, 1)
        self.scale = nn.Hardsigmoid(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        factors = self.scale(self.fc2(torch.relu(self.fc1(self.pool(x)))))
        scaled: Tensor = factors * x
        return scaled


def mobilenet_v3(classes: int = 7) -> nn.Sequential:
    """A stem, a block and a head with hard swish."""
    return nn.Sequential(
        _convolution(3, 8, 3, 2, 1),
        nn.BatchNorm2d(8),
        nn.Hardswish(inplace=True),
        _convolution(8, 16, 1, 1, 1),
        nn.BatchNorm2d(16),
        nn.Hardswish(inplace=True),
        _convolution(16, 16, 5, 2, 16),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        _SqueezeExcitation(16),
        _convolution(16, 12, 1, 1, 1),
        nn.BatchNorm2d(12),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 16),
        nn.BatchNorm1d(16),
        nn.Hardswish(inplace=True),
        nn.Linear(16, classes),
    )


class _Fire(nn.Module):
    """SqueezeNet's (Iandola et al., 2016, arXiv 1602.07360, figure 1)."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1(x).relu(), self.expand3(x).relu()], 1)


def squeezenet(classes: int = 7) -> nn.Sequential:
    """A stem, two modules behind poolings in ceil mode, and a head without a linear layer."""
    return nn.Sequential(
        nn.Conv2d(3, 12, 7, 2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _Fire(12, 4, 8),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        _Fire(16, 6, 10),
        nn.Dropout(0.5),
        nn.Conv2d(20, classes, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


class _ResidualWithSilu(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels, 3, 1, 1)
        self.norm = nn.BatchNorm2d(channels)
        self.second = _convolution(channels, channels, 3, 1, 1)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.act(self.norm(self.first(x))))
        out += x
        activated: Tensor = self.act(out)
        return activated


def resnet_with_silu(classes: int = 7) -> nn.Sequential:
    """Two residual blocks with SiLU, which work in place."""
    return nn.Sequential(
        _convolution(3, 12, 3, 2, 1),
        nn.BatchNorm2d(12, affine=False),
        nn.SiLU(inplace=True),
        _ResidualWithSilu(12),
        nn.MaxPool2d(2),
        _ResidualWithSilu(12),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, classes),
    )


OTHER_NETWORKS = (shufflenet_v2, mobilenet_v2, mobilenet_v3, squeezenet, resnet_with_silu)
