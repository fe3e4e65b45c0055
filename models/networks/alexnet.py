"""AlexNet (Krizhevsky et al., 2012), the network that the ShuffleNet paper measures against.

This is the original one: convolutions 2, 4 and 5 in two groups and local response
normalisation, 724.4 M multiply-adds (the paper's table 6 says 720). Common libraries carry a
later one without groups, of 714 M; its time is another.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class AlexNet(nn.Module):
    """(N, 3, H, W) -> logits (N, num_classes), for H and W from 63.

    Args:
        padding: of the first convolution. 0 suits 227x227 images, 2 suits 224x224: the first
            map is 55x55 with either.
        num_classes: logits.

    Where the last map is not 6x6 (any other input size) it is pooled to that adaptively, so
    that the same classifier serves every resolution of table 8. The paper does not say what
    it did there.
    """

    def __init__(self, *, padding: int = 2, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4, padding=padding)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)
        self.pool = nn.MaxPool2d(3, stride=2)
        self.adapt = nn.AdaptiveAvgPool2d((6, 6))
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, num_classes)
        self.dropout = nn.Dropout()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        x = self.pool(self.norm(functional.relu(self.conv1(x))))
        x = self.pool(self.norm(functional.relu(self.conv2(x))))
        x = functional.relu(self.conv3(x))
        x = functional.relu(self.conv4(x))
        x = self.pool(functional.relu(self.conv5(x)))
        x = self.adapt(x).flatten(1)
        x = self.dropout(functional.relu(self.fc6(x)))
        x = self.dropout(functional.relu(self.fc7(x)))
        logits: Tensor = self.fc8(x)
        return logits
