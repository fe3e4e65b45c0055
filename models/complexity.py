"""Multiply-adds and parameters of a network.

The paper's "FLOPs" are multiply-adds (caption of its table 1): one multiplication and the
addition that goes with it count as one. Convolutions and fully connected layers are counted;
normalisation, activations and pooling are not, as is the custom of the field.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(network: nn.Module, input_size: tuple[int, int]) -> int:
    """Multiply-adds of one image of `input_size` (height, width), by torch's flop counter.

    The counter counts a multiplication and an addition apart, hence the half. Nothing is
    computed: the network runs on the meta device, which has shapes and no data.
    """
    state = {
        name: tensor.to("meta")
        for name, tensor in (*network.named_parameters(), *network.named_buffers())
    }
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        functional_call(network, state, (torch.empty(1, 3, *input_size, device="meta"),))
    return counter.get_total_flops() // 2


def parameters(network: nn.Module) -> int:
    """Trainable numbers; BN's running statistics are not among them."""
    return sum(parameter.numel() for parameter in network.parameters())
