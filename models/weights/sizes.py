"""Which ShuffleNet V1 a file holds, found from the shapes of its tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from shufflenet_deploy.models.networks import NETWORKS, SHUFFLENET
from shufflenet_deploy.models.networks.shufflenet import STAGE_UNITS, stage_widths
from shufflenet_deploy.runtime.errors import ModelsError


@dataclass(frozen=True)
class Sizes:
    """What a ShuffleNet V1 was built with, as far as its tensors' shapes show it."""

    groups: int
    scale: float
    classes: int
    stem_channels: int


def sizes_of(tensors: Mapping[str, Tensor]) -> Sizes:
    """The choices that the tensors, under this project's keys, were built with.

    Each is what most of the units agree on, so that one misshapen tensor does not decide. Raises
    `ModelsError` where no ShuffleNet V1 has them.
    """
    groups_seen = []
    widths = []
    for stage, units in enumerate(STAGE_UNITS, start=1):
        # Units of stride 1: their last convolution makes the stage's width, and their first
        # one's filters see a group of it.
        prefixes = [f"features.stage{stage}.unit{unit}" for unit in range(2, units + 1)]
        width = _mode(_size(tensors[f"{p}.expand_conv3.weight"], 0) for p in prefixes)
        filter_channels = _mode(_size(tensors[f"{p}.compress_conv1.weight"], 1) for p in prefixes)
        widths.append(width)
        groups_seen.append(width // filter_channels if filter_channels else 0)
    groups, scale = _named(_mode(groups_seen), tuple(widths))
    classes = _size(tensors["output.weight"], 0)
    stem = _size(tensors["features.init_block.conv.weight"], 0)
    if classes < 1 or stem < 1 or stem % groups or stem >= widths[0]:
        raise ModelsError(
            f"{stem} channels in the stem and {classes} classes are of no ShuffleNet V1 with "
            f"{groups} groups; give another file"
        )
    return Sizes(groups, scale, classes, stem)


def _named(groups: int, widths: tuple[int, ...]) -> tuple[int, float]:
    """The group count and scale of a network with these stages."""
    entry = NETWORKS[SHUFFLENET]
    if groups not in entry.groups:
        raise ModelsError(
            f"its convolutions have {groups} groups, and ShuffleNet V1 has "
            f"{_listed(entry.groups)}; give another file"
        )
    scale = min(entry.scales, key=lambda scale: abs(stage_widths(groups, scale)[0] - widths[0]))
    if stage_widths(groups, scale) != widths:
        raise ModelsError(
            f"its stages have {_listed(widths)} channels, and ShuffleNet V1 with {groups} groups "
            f"has {_listed(stage_widths(groups, scale))} at {scale}x; give another file"
        )
    return groups, scale


def _size(tensor: Tensor, dimension: int) -> int:
    return tensor.shape[dimension] if tensor.dim() > dimension else 0


def _mode(values: Iterable[int]) -> int:
    return Counter(values).most_common(1)[0][0]


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
