"""The networks of the ShuffleNet paper (arXiv 1707.01083), as PyTorch modules.

`NETWORKS` is the table of all of them. Importing this package does not import torch, so that
a command line can check its options and answer ``--help`` at once; building a network does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from shufflenet_deploy.runtime.errors import ModelsError

if TYPE_CHECKING:
    from torch import nn

Size = tuple[int, int]
"""Height and width of an input, in pixels."""


SHUFFLENET = "shufflenet-v1"
SHUFFLENET_SE = "shufflenet-v1-se"
"""ShuffleNet V1 with squeeze and excitation (the paper's table 5)."""


@dataclass(frozen=True)
class Variant:
    """A network with every choice made: what `build` builds. `variant` makes and checks one."""

    network: str
    groups: int | None
    scale: float | None
    input_size: Size


def _shufflenet_v1(variant: Variant) -> nn.Module:
    from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1

    assert variant.groups is not None
    assert variant.scale is not None
    return ShuffleNetV1(
        variant.groups, variant.scale, squeeze_excitation=variant.network == SHUFFLENET_SE
    )


def _alexnet(variant: Variant) -> nn.Module:
    from shufflenet_deploy.models.networks.alexnet import AlexNet

    # Either way the first map is 55x55 and the multiply-adds are the same 724 M.
    return AlexNet(padding=0 if variant.input_size == (227, 227) else 2)


def _mobilenet_v1(variant: Variant) -> nn.Module:
    from shufflenet_deploy.models.networks.mobilenet import MobileNetV1

    assert variant.scale is not None
    return MobileNetV1(variant.scale)


@dataclass(frozen=True)
class NetworkEntry:
    """One row of `NETWORKS`: how to build a network, and what it can be asked for."""

    builder: Callable[[Variant], nn.Module]
    groups: tuple[int, ...]
    """The group counts that there are; empty where the network has no such choice."""
    default_groups: int | None
    scales: tuple[float, ...]
    """The width multipliers that there are; empty where the network has no such choice."""
    default_scale: float | None
    smallest_side: int
    """The least height and width, in pixels, that leaves something to pool at the end."""
    is_trained: bool = False
    """Whether `training` trains it and `checkpoint` reads files of its weights."""


_SHUFFLENET_V1 = NetworkEntry(
    _shufflenet_v1,
    groups=(1, 2, 3, 4, 8),
    default_groups=3,
    scales=(0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
    default_scale=1.0,
    smallest_side=32,  # five halvings (paper, table 1)
    is_trained=True,
)

NETWORKS: dict[str, NetworkEntry] = {
    SHUFFLENET: _SHUFFLENET_V1,
    SHUFFLENET_SE: _SHUFFLENET_V1,
    "alexnet": NetworkEntry(
        _alexnet,
        groups=(),
        default_groups=None,
        scales=(),
        default_scale=None,
        smallest_side=63,  # an 11x11 convolution of stride 4, three unpadded 3x3 poolings
    ),
    "mobilenet-v1": NetworkEntry(
        _mobilenet_v1,
        groups=(),
        default_groups=None,
        scales=(0.25, 0.5, 0.75, 1.0),
        default_scale=1.0,
        smallest_side=32,  # five halvings
    ),
}


def variant(
    network: str,
    groups: int | None = None,
    scale: float | None = None,
    input_size: Size = (224, 224),
) -> Variant:
    """Check a choice against `NETWORKS` and fill in the network's defaults where it has None.

    Raises `ModelsError` (usage) for a network, group count, scale or size that does not exist.
    """
    entry = NETWORKS.get(network)
    if entry is None:
        raise ModelsError(
            f"unknown network {network!r}: choose from {_listed(NETWORKS)}", usage=True
        )
    height, width = input_size
    if min(input_size) < entry.smallest_side:
        raise ModelsError(
            f"input size {height}x{width} is too small for {network}: "
            f"each side needs at least {entry.smallest_side} pixels",
            usage=True,
        )
    return Variant(
        network,
        _chosen(network, "groups", groups, entry.groups, entry.default_groups),
        _chosen(network, "scale", scale, entry.scales, entry.default_scale),
        input_size,
    )


def parse_size(text: str) -> Size:
    """``224`` or ``480x640`` (height x width) -> (height, width).

    Raises `ModelsError` (usage) for any other text.
    """
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text, re.ASCII)
    if match is None:
        raise ModelsError(
            f"input size {text!r} is not a number of pixels such as 224, or a height x width "
            "such as 480x640",
            usage=True,
        )
    height = int(match[1])
    return height, int(match[2] or height)


def build(variant: Variant) -> nn.Module:
    """Build the network in evaluation mode, with PyTorch's own initial weights.

    It maps images (N, 3, height, width), float32, to logits (N, 1000).
    """
    return NETWORKS[variant.network].builder(variant).eval()


_Number = TypeVar("_Number", int, float)


def _chosen(
    network: str,
    option: str,
    value: _Number | None,
    choices: tuple[_Number, ...],
    default: _Number | None,
) -> _Number | None:
    if value is None:
        return default
    if not choices:
        raise ModelsError(
            f"{network} has no choice of {option}: leave out {option} {value}", usage=True
        )
    if value not in choices:
        raise ModelsError(
            f"{network} has no {option} {value}: choose from {_listed(choices)}", usage=True
        )
    return value


def _listed(values: object) -> str:
    return ", ".join(str(value) for value in values)  # type: ignore[attr-defined]
