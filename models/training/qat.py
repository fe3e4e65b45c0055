"""Quantisation-aware training: the network computes with the numbers that int8 will have.

Weights and activations are rounded as export rounds them (`models.quantisation`), and gradients go
through as if they were not: Jacob et al., "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference" (2017), section 3. Batch normalisation is folded
before, with its running statistics: of the two ways in their section 3.2 the simple one, which a
network that has been trained already bears.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from shufflenet_deploy.models.networks.activations import layer_inputs, seen_activations
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.quantisation import (
    PERCENTILE,
    STEPS,
    Ranges,
    covering,
    nearest,
    weight_steps,
)

SAMPLE = 2048
"""About how many numbers of an activation are kept of each image, for percentiles."""


def measured_ranges(network: ShuffleNetV1, batches: Iterable[Tensor], pixels: Tensor) -> Ranges:
    """The range of each activation on `batches` of images (N, 3, H, W), by export's first rule.

    Of the images themselves it is that of `pixels`, all that they may hold; and of the logits the
    extremes, as the largest is the answer.
    """
    extremes: dict[str, tuple[float, float]] = {}
    samples: dict[str, list[NDArray[np.float32]]] = {}

    def see(name: str, value: Tensor) -> Tensor:
        low, high = value.min().item(), value.max().item()
        before = extremes.get(name, (low, high))
        extremes[name] = min(low, before[0]), max(high, before[1])
        flat = value.flatten()
        step = max(1, len(flat) // (SAMPLE * len(value))) | 1  # odd: no row is met at one column
        samples.setdefault(name, []).append(flat[::step].cpu().numpy())
        return value

    network.eval()
    with torch.inference_mode(), seen_activations(network, see):
        for images in batches:
            network(images)
    first, *_, last = extremes
    extremes[first] = pixels.min().item(), pixels.max().item()
    return {
        name: covering(
            *ends, np.concatenate(samples[name]), None if name in (first, last) else PERCENTILE
        )
        for name, ends in extremes.items()
    }


def round_weights(network: ShuffleNetV1) -> None:
    """Let each layer compute with rounded weights, whose gradients its own weights get.

    What batch normalisation makes of a convolution's weights is a part of them then, and what is
    left of it adds a bias. Its scale stays as it is: with it the weights are trained as they were
    before, however small the numbers of the input make it.
    """
    for path, layer, norm in list(_layers(network)):
        scale = torch.ones(len(layer.weight)) if norm is None else _fold(norm)
        rounded = (
            _RoundedLinear(layer, scale)
            if isinstance(layer, nn.Linear)
            else _RoundedConvolution(layer, scale)
        )
        network.set_submodule(path, rounded)


def _fold(norm: nn.BatchNorm2d) -> Tensor:
    """Leave nothing of `norm` but a bias, and return the scales that it gave, (C,)."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        norm.bias.copy_(norm.bias.double() - norm.running_mean.double() * scale)
        norm.weight.fill_(1.0).requires_grad_(False)
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0 - norm.eps)
        return scale.float()


def as_rounded(network: ShuffleNetV1, ranges: Ranges | None) -> ShuffleNetV1:
    """A copy with the weights that `round_weights` lets it compute with, to be saved.

    Biases are on the steps of integer sums, which are products of an input's and a weight's.
    """
    network = copy.deepcopy(network)
    if ranges is None:
        return network
    inputs = layer_inputs(network)
    for path, layer, norm in _layers(network):
        layer.weight.data = _rounded(layer.weight, layer.scale).detach()  # type: ignore[arg-type]
        bias = layer.bias if norm is None else norm.bias
        assert bias is not None
        low, high = ranges[inputs[path]]
        steps = weight_steps(layer.weight.data.flatten(1)).double() * ((high - low) / STEPS)
        bias.data = ((bias.data.double() / steps).round() * steps).float()
    return network


def as_trained(network: ShuffleNetV1) -> ShuffleNetV1:
    """A copy with the weights that are trained, to be saved: `round_weights` goes on with it."""
    network = copy.deepcopy(network)
    for _, layer, norm in _layers(network):
        if norm is not None and isinstance(layer, _RoundedConvolution):
            norm.weight.data = layer.scale
    return network


class _RoundedConvolution(nn.Conv2d):
    """A convolution that computes with rounded weights, and has those that it was made of."""

    def __init__(self, of: nn.Conv2d, scale: Tensor) -> None:
        super().__init__(
            of.in_channels,
            of.out_channels,
            of.kernel_size,  # type: ignore[arg-type]
            of.stride,  # type: ignore[arg-type]
            of.padding,  # type: ignore[arg-type]
            groups=of.groups,
            bias=of.bias is not None,
            device="meta",
        )
        self.weight, self.bias = of.weight, of.bias
        self.register_buffer("scale", scale, persistent=False)
        self.scale: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, O, H', W')."""
        weight = _rounded(self.weight, self.scale)
        made: Tensor = self._conv_forward(images, weight, self.bias)
        return made


class _RoundedLinear(nn.Linear):
    """A fully connected layer, likewise."""

    def __init__(self, of: nn.Linear, scale: Tensor) -> None:
        super().__init__(of.in_features, of.out_features, device="meta")
        self.weight, self.bias = of.weight, of.bias
        self.register_buffer("scale", scale, persistent=False)
        self.scale: Tensor

    def forward(self, values: Tensor) -> Tensor:
        """(N, C) -> (N, O)."""
        return functional.linear(values, _rounded(self.weight, self.scale), self.bias)


def _rounded(weight: Tensor, scale: Tensor) -> Tensor:
    """Weights (O, I, ...) times a scale (O,), on their nearest steps, with their own gradients."""
    folded = weight * scale.reshape(-1, *[1] * (weight.dim() - 1))
    on_steps = nearest(folded.detach().flatten(1)).reshape(weight.shape)
    straight: Tensor = folded + (on_steps - folded.detach())
    return straight


def _layers(
    network: ShuffleNetV1,
) -> Iterator[tuple[str, nn.Conv2d | nn.Linear, nn.BatchNorm2d | None]]:
    """Each layer that has weights, with its path and the batch normalisation after it if any."""
    modules = [
        (path, module)
        for path, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d)
    ]
    for (path, module), (_, following) in pairwise([*modules, ("", None)]):
        if isinstance(module, nn.Conv2d | nn.Linear):
            yield path, module, following if isinstance(following, nn.BatchNorm2d) else None
