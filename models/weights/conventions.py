"""The conventions of published ShuffleNet V1 checkpoints, and how each becomes this project's.

Two of the differences are permutations of channels, which change no logit:

- A depthwise convolution sees each channel alone, so a shuffle behind it can stand before it
  once the depthwise filters and their BN are shuffled along.
- Where the shortcut comes first in the concatenation, all channels of the whole network, those
  of the bottlenecks too, are numbered backwards: the shortcut then is last, every group of
  every convolution is still a group of neighbours, and a shuffle of reversed channels is the
  reversed shuffle. Moving the shortcut alone would cut the next convolution's groups apart.

The third, a shuffle in the other direction, is one only sometimes. It decides how many channels
of each group reach each group behind it. Where the channels of a group do not divide by the
groups these numbers can differ between the directions, and no order of channels mends that: so
in stage 2 of 1x g=8. Hence `ShuffleNetV1` can shuffle in either direction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from shufflenet_deploy.models.networks.shufflenet import STAGE_UNITS, channel_shuffle
from shufflenet_deploy.runtime.manifest import Preprocessing

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
_LAYERS = ("compress_conv1", "compress_bn1", "dw_conv2", "dw_bn2", "expand_conv3", "expand_bn3")
_SE_LAYERS = ("se.conv1", "se.conv2")
_STEM = "features.init_block"


IMAGENET = Preprocessing(crop=(224, 224))
"""The preprocessing that most were trained with; another size of input has a crop of that size."""


@dataclass(frozen=True)
class Convention:
    """The keys of one convention, and how its network differs from `ShuffleNetV1`'s defaults."""

    name: str
    stem_conv: str
    stem_bn: str | None
    """The key of the BN after Conv1; None where that has a bias instead, and no ReLU either."""
    unit: str
    """The prefix of a unit's keys; stages and units count from `first_stage` and `first_unit`,
    `index` counts units through all stages from 0."""
    layers: tuple[str, str, str, str, str, str]
    """A unit's keys: first 1x1 convolution and its BN, depthwise and its BN, last 1x1 and its
    BN."""
    classifier: str
    first_stage: int = 0
    first_unit: int = 0
    shortcut_first: bool = True
    shuffle_after_depthwise: bool = False
    inverse_shuffle: bool = False
    """Whether channels are viewed as (C/g, g) and transposed, not as (g, C/g)."""
    convolution_bias: bool = False
    """Whether the convolutions of the units have one, although BN follows."""
    classifier_bias: bool = True
    preprocessing: Preprocessing = IMAGENET


OURS = "pytorchcv"
"""This project's own convention, for which pytorchcv's was taken."""

CONVENTIONS = (
    Convention(
        OURS,
        stem_conv=f"{_STEM}.conv",
        stem_bn=f"{_STEM}.bn",
        unit="features.stage{stage}.unit{unit}",
        layers=_LAYERS,
        classifier="output",
        first_stage=1,
        first_unit=1,
        shortcut_first=False,
    ),
    Convention(
        "megvii",
        stem_conv="first_conv.0",
        stem_bn="first_conv.1",
        unit="features.{index}",
        layers=(
            "branch_main_1.0",
            "branch_main_1.1",
            "branch_main_1.3",
            "branch_main_1.4",
            "branch_main_2.0",
            "branch_main_2.1",
        ),
        classifier="classifier.0",
        shuffle_after_depthwise=True,
        inverse_shuffle=True,
        classifier_bias=False,
        preprocessing=msgspec.structs.replace(
            IMAGENET, channel_order="BGR", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
        ),
    ),
    Convention(
        "mmpretrain",
        stem_conv="backbone.conv1.conv",
        stem_bn="backbone.conv1.bn",
        unit="backbone.layers.{stage}.{unit}",
        layers=(
            "g_conv_1x1_compress.conv",
            "g_conv_1x1_compress.bn",
            "depthwise_conv3x3_bn.conv",
            "depthwise_conv3x3_bn.bn",
            "g_conv_1x1_expand.conv",
            "g_conv_1x1_expand.bn",
        ),
        classifier="head.fc",
        shuffle_after_depthwise=True,
    ),
    Convention(
        "jaxony",
        stem_conv="conv1",
        stem_bn=None,
        unit="stage{stage}.ShuffleUnit_Stage{stage}_{unit}",
        layers=(
            "g_conv_1x1_compress.conv1x1",
            "g_conv_1x1_compress.batch_norm",
            "depthwise_conv3x3",
            "bn_after_depthwise",
            "g_conv_1x1_expand.conv1x1",
            "g_conv_1x1_expand.batch_norm",
        ),
        classifier="fc",
        first_stage=2,
        convolution_bias=True,
    ),
)
"""All conventions that are known."""


def keys(convention: Convention, squeeze_excitation: bool = False) -> dict[str, str]:
    """Every key of a file of `convention` -> the key that the same numbers have here.

    A bias that has no place here, because BN follows, gets the key that it would have. Squeeze
    and excitation is this project's own only, of which `OURS` is the convention.
    """
    names = {f"{convention.stem_conv}.weight": f"{_STEM}.conv.weight"}
    if convention.stem_bn is None:
        names[f"{convention.stem_conv}.bias"] = f"{_STEM}.conv.bias"
    else:
        names |= {f"{convention.stem_bn}.{part}": f"{_STEM}.bn.{part}" for part in BATCH_NORM}
    convolution = ("weight", "bias") if convention.convolution_bias else ("weight",)
    index = 0
    for stage, units in enumerate(STAGE_UNITS):
        for unit in range(units):
            theirs = convention.unit.format(
                stage=convention.first_stage + stage, unit=convention.first_unit + unit, index=index
            )
            ours = f"features.stage{stage + 1}.unit{unit + 1}"
            for their_layer, layer in zip(convention.layers, _LAYERS, strict=True):
                parts = BATCH_NORM if "_bn" in layer else convolution
                names |= {f"{theirs}.{their_layer}.{p}": f"{ours}.{layer}.{p}" for p in parts}
            if squeeze_excitation:
                added = [f"{ours}.{layer}.{p}" for layer in _SE_LAYERS for p in ("weight", "bias")]
                names |= {key: key for key in added}
            index += 1
    names[f"{convention.classifier}.weight"] = "output.weight"
    if convention.classifier_bias:
        names[f"{convention.classifier}.bias"] = "output.bias"
    return names


def has_squeeze_excitation(convention: Convention, file_keys: Collection[str]) -> bool:
    """Whether any of `file_keys` is a key of squeeze and excitation, in our own convention."""
    if convention.name != OURS:
        return False
    return not set(file_keys).isdisjoint(keys(convention, True).keys() - keys(convention).keys())


def convert(convention: Convention, tensors: dict[str, Tensor], groups: int) -> dict[str, Tensor]:
    """The state dict of a `ShuffleNetV1` that gives the logits of the network in the file.

    `tensors` are the file's, float32, under the keys they have here; every one of `keys` is
    there. The network is to be built with `inverse_shuffle` as `convention` has it, and without
    `stem_relu` where it has no BN in the stem.
    """
    tensors = dict(tensors)
    if convention.stem_bn is None:
        _add_stem_norm(tensors)
    if convention.convolution_bias:
        _absorb_biases(tensors)
    if not convention.classifier_bias:
        tensors["output.bias"] = torch.zeros(len(tensors["output.weight"]))
    if convention.shuffle_after_depthwise:
        for key, tensor in tensors.items():
            if ".dw_" in key:
                shuffle_groups = len(tensor) // groups if convention.inverse_shuffle else groups
                order = torch.arange(len(tensor)).view(1, -1, 1, 1)
                tensors[key] = tensor[channel_shuffle(order, shuffle_groups).flatten()]
    if convention.shortcut_first:
        tensors = {key: _reversed(key, tensor) for key, tensor in tensors.items()}
    return tensors


def _add_stem_norm(tensors: dict[str, Tensor]) -> None:
    """The bias of Conv1 becomes the shift of a BN that does nothing else.

    In float32 the variance and BN's epsilon add up to 1.
    """
    bias = tensors.pop(f"{_STEM}.conv.bias")
    tensors[f"{_STEM}.bn.weight"] = torch.ones_like(bias)
    tensors[f"{_STEM}.bn.bias"] = bias
    tensors[f"{_STEM}.bn.running_mean"] = torch.zeros_like(bias)
    tensors[f"{_STEM}.bn.running_var"] = torch.full_like(bias, 1 - torch.nn.BatchNorm2d(1).eps)


def _absorb_biases(tensors: dict[str, Tensor]) -> None:
    """A bias before a BN lowers that BN's running mean."""
    for key in [key for key in tensors if "_conv" in key and key.endswith(".bias")]:
        mean = key.replace("_conv", "_bn").replace(".bias", ".running_mean")
        tensors[mean] = tensors[mean] - tensors.pop(key)


def _reversed(key: str, tensor: Tensor) -> Tensor:
    """The same numbers where all channels but the image's and the classes are backwards."""
    if key == "output.bias":
        return tensor
    if key == "output.weight":
        return tensor.flip(1)
    if tensor.dim() == 4 and not key.startswith(_STEM):
        # Reversed groups of reversed channels: the last group's weights come first. A depthwise
        # filter has one channel, whose reversal does nothing.
        return tensor.flip(0, 1)
    return tensor.flip(0)
