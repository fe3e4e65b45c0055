"""Networks as training with 8 bits leaves them, made without training."""

from __future__ import annotations

from pathlib import Path

import torch

from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.models.training.qat import as_rounded, measured_ranges, round_weights
from shufflenet_deploy.models.weights import checkpoint
from shufflenet_deploy.models.weights.random import randomise
from shufflenet_deploy.runtime.manifest import Preprocessing

SIZE = (64, 64)
AS_RANDOM = Preprocessing(crop=SIZE)


def images(count: int, seed: int) -> torch.Tensor:
    """Seeded noise (N, 3, 64, 64), of what `AS_RANDOM` makes of pixels."""
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, *SIZE, generator=random) * 4 - 2


def rounded_network(
    groups: int = 3, *, squeeze_excitation: bool = False
) -> tuple[ShuffleNetV1, Ranges]:
    """A network of random weights with 8 bits, and the ranges of its activations."""
    network, plain = (
        ShuffleNetV1(groups, 0.25, num_classes=10, squeeze_excitation=squeeze_excitation)
        for _ in range(2)
    )
    randomise(network, images(8, 0), 0)
    ranges = measured_ranges(network, [images(8, 1)], torch.tensor([-2.2, 2.7]))
    round_weights(network)
    plain.load_state_dict(as_rounded(network, ranges).state_dict())
    return plain.eval(), ranges


def write_rounded_network(path: Path, groups: int = 3, *, squeeze_excitation: bool = False) -> None:
    """The same as a checkpoint."""
    network, ranges = rounded_network(groups, squeeze_excitation=squeeze_excitation)
    checkpoint.save(
        path, network, labels=None, preprocessing=AS_RANDOM, input_size=SIZE, ranges=ranges
    )
