"""Where a network's activations are: every one that 8 bits round, and no other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from shufflenet_deploy.models.networks.activations import (
    activations,
    layer_inputs,
    rounded_activations,
    seen_activations,
)
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1

NETWORKS = [{}, {"squeeze_excitation": True}, {"stem_relu": False}, {"inverse_shuffle": True}]


def _network(**changes: bool) -> ShuffleNetV1:
    torch.manual_seed(0)
    return ShuffleNetV1(3, 0.25, num_classes=10, **changes).eval()


@pytest.mark.parametrize("changes", NETWORKS)
def test_each_is_seen_once_in_the_order_of_its_making(changes: dict[str, bool]) -> None:
    network = _network(**changes)
    seen: list[str] = []

    def see(name: str, value: Tensor) -> Tensor:
        seen.append(name)
        return value

    with seen_activations(network, see):
        network(torch.randn(1, 3, 32, 32))
    assert sorted(seen) == sorted(activations(network))
    assert (seen[0], seen[-1]) == ("images", "output")
    network(torch.randn(1, 3, 32, 32))
    assert len(seen) == len(activations(network))  # nothing is left in the network


def test_what_is_seen_may_be_changed() -> None:
    network = _network()
    with seen_activations(network, lambda name, value: value * 0 if name == "output" else value):
        assert not network(torch.randn(1, 3, 32, 32)).any()


@pytest.mark.parametrize("changes", NETWORKS)
def test_every_layer_reads_one_of_them(changes: dict[str, bool]) -> None:
    network = _network(**changes)
    inputs = layer_inputs(network)
    layers = [
        path
        for path, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    assert sorted(inputs) == sorted(layers)
    assert set(inputs.values()) <= set(activations(network))


@pytest.mark.parametrize("changes", NETWORKS)
def test_a_layer_reads_the_numbers_of_its_activation(changes: dict[str, bool]) -> None:
    """Shuffles and poolings only move them, so that all that a layer reads was seen before."""
    network = _network(**changes)
    values: dict[str, Tensor] = {}
    read: dict[str, Tensor] = {}
    for path, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda module, inputs, output, path=path: read.update({path: inputs[0]})
            )

    def see(name: str, value: Tensor) -> Tensor:
        values[name] = value
        return value

    with seen_activations(network, see):
        network(torch.randn(1, 3, 32, 32))
    for path, name in layer_inputs(network).items():
        assert torch.isin(read[path], values[name]).all(), path


def test_in_fine_steps_the_network_computes_what_it_did() -> None:
    network = _network()
    images = torch.randn(2, 3, 32, 32)
    exact = network(images)
    ranges = dict.fromkeys(activations(network), (-0.001, 0.001))
    with rounded_activations(network, ranges):
        assert network(images).abs().max() <= 1.01e-3
    torch.testing.assert_close(network(images), exact)
