"""The table of networks, and what it refuses."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from shufflenet_deploy.models.networks import NETWORKS, Variant, build, variant
from shufflenet_deploy.runtime.errors import ModelsError


def test_defaults_are_filled_in() -> None:
    assert variant("shufflenet-v1") == Variant("shufflenet-v1", 3, 1.0, (224, 224))
    assert variant("shufflenet-v1-se") == Variant("shufflenet-v1-se", 3, 1.0, (224, 224))
    assert variant("mobilenet-v1") == Variant("mobilenet-v1", None, 1.0, (224, 224))
    assert variant("alexnet") == Variant("alexnet", None, None, (224, 224))


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_takes_its_smallest_size_and_nothing_smaller(network: str) -> None:
    side = NETWORKS[network].smallest_side
    with torch.device("meta"):
        assert build(variant(network, input_size=(side, side)))(
            torch.empty(1, 3, side, side)
        ).shape == (1, 1000)
    with pytest.raises(ModelsError, match=f"input size {side - 1}x{side} is too small"):
        variant(network, input_size=(side - 1, side))


def test_alexnet_really_cannot_take_less() -> None:
    with torch.device("meta"), pytest.raises(RuntimeError):
        build(variant("alexnet"))(torch.empty(1, 3, 62, 62))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg16",), f"unknown network 'vgg16': choose from {', '.join(NETWORKS)}"),
        (("shufflenet-v1", 5), "has no groups 5: choose from 1, 2, 3, 4, 8"),
        (("shufflenet-v1", 3, 3.0), "has no scale 3.0: choose from 0.25, 0.5"),
        (("shufflenet-v1-se", 5), "shufflenet-v1-se has no groups 5: choose from 1, 2, 3, 4, 8"),
        (("mobilenet-v1", None, 1.5), "mobilenet-v1 has no scale 1.5"),
        (("alexnet", 3), "alexnet has no choice of groups"),
        (("alexnet", None, 0.5), "alexnet has no choice of scale"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(
    arguments: tuple[object, ...], message: str
) -> None:
    with pytest.raises(ModelsError, match=message) as caught:
        variant(*arguments)  # type: ignore[arg-type]
    assert caught.value.usage


def test_the_table_is_read_without_torch() -> None:
    code = (
        "import sys, shufflenet_deploy.models.networks as networks;"
        "networks.variant('alexnet'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
