"""Batch normalisation knows what images a network was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from shufflenet_deploy.models.networks.alexnet import AlexNet
from shufflenet_deploy.models.unlikeness import spread_difference
from shufflenet_deploy.models.weights import checkpoint
from shufflenet_deploy.runtime.images.datasets import open_dataset
from shufflenet_deploy.runtime.preprocess import fit, normalise
from shufflenet_deploy.runtime.seeded import seeded_pixels, to_layout

DIGITS = Path(__file__).parent.parent / "data" / "digits-shufflenet-v1-g3-x0.25.pth"


def _norm(variance: float) -> nn.Module:
    norm = nn.BatchNorm2d(3).eval()
    assert norm.running_var is not None
    norm.running_var.fill_(variance)
    return norm


@pytest.mark.parametrize(("variance", "factor"), [(1.0, 1.0), (4.0, 4.0), (0.25, 4.0)])
def test_it_is_the_factor_between_variances(variance: float, factor: float) -> None:
    images = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = spread_difference(_norm(variance), [images])
    assert found == pytest.approx(factor, rel=0.05)


def test_images_of_the_training_are_told_from_noise() -> None:
    loaded = checkpoint.load(DIGITS)
    examples = open_dataset("digits", "train").examples[:16]
    digits = np.stack([fit(example.read(), loaded.preprocessing) for example in examples])
    noise = seeded_pixels(16, loaded.preprocessing.crop, 0)
    same, other = (
        spread_difference(
            loaded.network,
            [torch.from_numpy(to_layout(normalise(pixels, loaded.preprocessing), "NCHW"))],
        )
        for pixels in (digits, noise)
    )
    assert same is not None
    assert other is not None
    assert same < 1.2
    assert other > 1.8


def test_without_normalisation_or_images_nothing_is_known() -> None:
    assert spread_difference(AlexNet().eval(), [torch.zeros(2, 3, 224, 224)]) is None
    assert spread_difference(_norm(1.0), []) is None


def test_nothing_is_left_in_the_network() -> None:
    norm = _norm(1.0)
    spread_difference(norm, [torch.randn(2, 3, 4, 4)])
    assert not norm._forward_hooks
