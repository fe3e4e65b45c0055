"""Random weights under which logits vary with the input."""

from __future__ import annotations

import torch

from shufflenet_deploy.models.networks import build, variant
from shufflenet_deploy.models.networks.shufflenet import SqueezeExcitation
from shufflenet_deploy.models.weights.random import randomise


def _images(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(count, 3, 2, 2, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(64, 64))


def test_logits_vary_with_the_image_where_initial_values_leave_them_alike() -> None:
    network = build(variant("mobilenet-v1", scale=0.25))
    images = _images(8)
    with torch.no_grad():
        before = network(images)
        randomise(network, images)
        after = network(images)
    assert before.std(dim=0).max() / before.abs().max() < 1e-3
    assert after.std(dim=0).max() / after.abs().max() > 0.1


def test_factors_of_squeeze_and_excitation_vary_with_the_channel_and_with_the_image() -> None:
    network = build(variant("shufflenet-v1-se", 3, 0.25))
    images = _images(8)
    randomise(network, images)
    factors = []
    for unit in network.modules():
        if isinstance(unit, SqueezeExcitation):
            unit.conv2.register_forward_hook(lambda _, __, y: factors.append(y.sigmoid()))
    with torch.no_grad():
        network(images)
    assert len(factors) == 16
    for each in factors:
        assert each.std(dim=1).mean() > 0.05  # else no comparison would notice a lost one
        assert each.std(dim=0).mean() > 0.005


def test_running_statistics_are_those_of_the_images() -> None:
    network = build(variant("shufflenet-v1", 3, 0.25))
    images = _images(8)
    randomise(network, images)
    with torch.no_grad():
        stem = network.features[0].conv(images)  # type: ignore[index, union-attr]
    norm = network.features[0].bn  # type: ignore[index, union-attr]
    torch.testing.assert_close(norm.running_mean, stem.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.running_var, stem.var(dim=(0, 2, 3)))


def test_the_seed_decides() -> None:
    first, same, other = (build(variant("shufflenet-v1", 3, 0.25)) for _ in range(3))
    for network, seed in ((first, 0), (same, 0), (other, 1)):
        randomise(network, _images(2), seed)
    assert all(a.equal(b) for a, b in zip(first.parameters(), same.parameters(), strict=True))
    assert not first.state_dict()["output.weight"].equal(other.state_dict()["output.weight"])


def test_the_network_is_left_in_evaluation_mode_with_its_momentum() -> None:
    network = build(variant("shufflenet-v1", 3, 0.25))
    randomise(network, _images(2))
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert not any(m.training for m in network.modules())
    assert {norm.momentum for norm in norms} == {0.1}
