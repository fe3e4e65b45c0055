"""pytorchcv's ShuffleNets, whose keys and order ours keeps: the same weights, the same logits."""

from __future__ import annotations

import pytest
import torch
from pytorchcv.models import shufflenet as pytorchcv

from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.weights.random import randomise

# Its names: w3d4 is 0.75, wd2 is 0.5, wd4 is 0.25.
VARIANTS = {
    f"shufflenet_g{groups}_{width}": (groups, scale)
    for width, scale, counts in (
        ("w1", 1.0, (1, 2, 3, 4, 8)),
        ("w3d4", 0.75, (1, 3)),
        ("wd2", 0.5, (1, 3)),
        ("wd4", 0.25, (1, 3)),
    )
    for groups in counts
}


def test_all_eleven_are_here() -> None:
    theirs = {name for name in pytorchcv.__all__ if name.startswith("shufflenet_g")}
    assert set(VARIANTS) == theirs


@pytest.mark.parametrize("name", VARIANTS)
def test_weights_load_unchanged_and_give_the_same_logits(name: str) -> None:
    groups, scale = VARIANTS[name]
    theirs = getattr(pytorchcv, name)()
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    randomise(theirs, images)

    stem = theirs.features.init_block.conv.out_channels
    ours = ShuffleNetV1(groups, scale, stem_channels=stem).eval()
    ours.load_state_dict(theirs.state_dict())  # strict: no key missing, none left over

    with torch.no_grad():
        expected, logits = theirs(images), ours(images)
    # Not bit for bit only because the mean over 7x7 is summed in another order.
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
