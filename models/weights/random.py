"""Seeded random weights under which a network's logits vary with its input.

With PyTorch's initial values the activations of a deep network fade away, every input gets
nearly the same logits, and a comparison of two implementations passes whatever is broken
between them. These weights keep the variance of the activations through all the layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_Norm = nn.BatchNorm1d | nn.BatchNorm2d


def randomise(network: nn.Module, images: Tensor, seed: int = 0) -> None:
    """Give `network` seeded weights, in place, and leave it in evaluation mode.

    Convolutions and fully connected layers are He-normal (He et al., 2015, arXiv 1502.01852);
    BN gets a random scale and shift, so that folding it wrongly shows, and as running
    statistics those of `images` (N, 3, H, W), each layer seeing what the layers before it
    make in evaluation.
    """
    generator = torch.Generator().manual_seed(seed)
    norms: list[_Norm] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            module.weight.data.normal_(0.0, (2.0 / fan_in) ** 0.5, generator=generator)
            if module.bias is not None:
                module.bias.data.normal_(0.0, 0.1, generator=generator)
        elif isinstance(module, _Norm):
            if module.affine:
                module.weight.data.uniform_(0.8, 1.2, generator=generator)
                module.bias.data.normal_(0.0, 0.1, generator=generator)
            norms.append(module)
    if norms:
        _estimate_statistics(network, norms, images)
    network.eval()


def _estimate_statistics(network: nn.Module, norms: list[_Norm], images: Tensor) -> None:
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average: after one batch, that batch's statistics
    network.train()
    with torch.no_grad():
        network(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
