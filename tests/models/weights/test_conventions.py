"""Each convention, described again in plain PyTorch: its files must give its logits here.

The descriptions share nothing with the project: own keys, own shuffle, own concatenation.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1, channel_shuffle
from shufflenet_deploy.models.weights.checkpoint import load
from shufflenet_deploy.models.weights.conventions import (
    CONVENTIONS,
    keys,
)
from shufflenet_deploy.models.weights.finding import find
from shufflenet_deploy.models.weights.random import randomise
from shufflenet_deploy.runtime.manifest import Preprocessing

CLASSES = 7
UNITS = (4, 8, 4)


def _transposed(x: Tensor, rows: int) -> Tensor:
    """Channels as a table of `rows` lines, read by columns."""
    n, channels, height, width = x.shape
    table = x.reshape(n, rows, channels // rows, height, width)
    return torch.cat([table[:, :, column] for column in range(channels // rows)], dim=1)


def _halved(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, 2, 1)


class MegviiUnit(nn.Module):
    def __init__(self, inputs: int, outputs: int, groups: int, stride: int, first: bool) -> None:
        super().__init__()
        middle = outputs // 4
        self.groups, self.stride = groups, stride
        self.branch_main_1 = nn.Sequential(
            nn.Conv2d(inputs, middle, 1, groups=1 if first else groups, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False),
            nn.BatchNorm2d(middle),
        )
        branch = outputs - inputs if stride == 2 else outputs
        self.branch_main_2 = nn.Sequential(
            nn.Conv2d(middle, branch, 1, groups=groups, bias=False), nn.BatchNorm2d(branch)
        )

    def forward(self, x: Tensor) -> Tensor:
        branch = self.branch_main_1(x)
        branch = _transposed(branch, branch.shape[1] // self.groups)
        branch = self.branch_main_2(branch)
        if self.stride == 2:
            return torch.cat([_halved(x), functional.relu(branch)], dim=1)
        return functional.relu(branch + x)


class Megvii(nn.Module):
    def __init__(self, groups: int, stem: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(
            nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU()
        )
        units: list[nn.Module] = []
        for width, count in zip(widths, UNITS, strict=True):
            for unit in range(count):
                units.append(MegviiUnit(stem, width, groups, 1 if unit else 2, not units))
                stem = width
        self.features = nn.Sequential(*units)
        self.classifier = nn.Sequential(nn.Linear(stem, CLASSES, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.first_conv(x), 3, 2, 1)
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return logits


def _conv_module(conv: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(conv.out_channels)))


class MmpretrainUnit(nn.Module):
    def __init__(self, inputs: int, outputs: int, groups: int, stride: int, first: bool) -> None:
        super().__init__()
        middle = outputs // 4
        branch = outputs - inputs if stride == 2 else outputs
        self.groups, self.stride = groups, stride
        self.g_conv_1x1_compress = _conv_module(
            nn.Conv2d(inputs, middle, 1, groups=1 if first else groups, bias=False)
        )
        self.depthwise_conv3x3_bn = _conv_module(
            nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False)
        )
        self.g_conv_1x1_expand = _conv_module(
            nn.Conv2d(middle, branch, 1, groups=groups, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        branch = functional.relu(self.g_conv_1x1_compress(x))
        branch = _transposed(self.depthwise_conv3x3_bn(branch), self.groups)
        branch = self.g_conv_1x1_expand(branch)
        if self.stride == 2:
            return torch.cat([_halved(x), functional.relu(branch)], dim=1)
        return functional.relu(x + branch)


class Mmpretrain(nn.Module):
    def __init__(self, groups: int, stem: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.conv1 = _conv_module(nn.Conv2d(3, stem, 3, 2, 1, bias=False))
        self.backbone.layers = nn.ModuleList()
        for stage, (width, count) in enumerate(zip(widths, UNITS, strict=True)):
            layer = nn.Sequential()
            for unit in range(count):
                first = stage == unit == 0
                layer.append(MmpretrainUnit(stem, width, groups, 1 if unit else 2, first))
                stem = width
            self.backbone.layers.append(layer)
        self.head = nn.Module()
        self.head.fc = nn.Linear(stem, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.backbone.conv1(x))  # type: ignore[operator]
        x = functional.max_pool2d(x, 3, 2, 1)
        for layer in self.backbone.layers:  # type: ignore[union-attr]
            x = layer(x)
        logits: Tensor = self.head.fc(x.mean((2, 3)))  # type: ignore[operator]
        return logits


class JaxonyUnit(nn.Module):
    def __init__(self, inputs: int, outputs: int, groups: int, stride: int, first: bool) -> None:
        super().__init__()
        middle = outputs // 4
        branch = outputs - inputs if stride == 2 else outputs
        self.groups, self.stride = groups, stride
        self.g_conv_1x1_compress = nn.Sequential(
            OrderedDict(
                conv1x1=nn.Conv2d(inputs, middle, 1, groups=1 if first else groups),
                batch_norm=nn.BatchNorm2d(middle),
                relu=nn.ReLU(),
            )
        )
        self.depthwise_conv3x3 = nn.Conv2d(middle, middle, 3, stride, 1, groups=middle)
        self.bn_after_depthwise = nn.BatchNorm2d(middle)
        self.g_conv_1x1_expand = nn.Sequential(
            OrderedDict(
                conv1x1=nn.Conv2d(middle, branch, 1, groups=groups),
                batch_norm=nn.BatchNorm2d(branch),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        branch = _transposed(self.g_conv_1x1_compress(x), self.groups)
        branch = self.bn_after_depthwise(self.depthwise_conv3x3(branch))
        branch = self.g_conv_1x1_expand(branch)
        if self.stride == 2:
            return functional.relu(torch.cat([_halved(x), branch], dim=1))
        return functional.relu(x + branch)


class Jaxony(nn.Module):
    def __init__(self, groups: int, stem: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 3, 2, 1)
        for stage, (width, count) in enumerate(zip(widths, UNITS, strict=True), start=2):
            units: OrderedDict[str, nn.Module] = OrderedDict()
            for unit in range(count):
                units[f"ShuffleUnit_Stage{stage}_{unit}"] = JaxonyUnit(
                    stem, width, groups, 1 if unit else 2, stage == 2 and unit == 0
                )
                stem = width
            self.add_module(f"stage{stage}", nn.Sequential(units))
        self.fc = nn.Linear(stem, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.conv1(x), 3, 2, 1)
        for stage in ("stage2", "stage3", "stage4"):
            x = getattr(self, stage)(x)
        return functional.log_softmax(self.fc(x.mean((2, 3))), dim=1)


Described = Callable[[int, int, tuple[int, ...]], nn.Module]
DESCRIPTIONS: dict[str, Described] = {
    "megvii": Megvii,
    "mmpretrain": Mmpretrain,
    "jaxony": Jaxony,
}
VARIANTS = {
    # Stem and stages as the conventions' own tables have them; g, scale.
    (1, 0.25): (12, (36, 72, 144)),
    (2, 0.5): (12, (104, 200, 400)),
    (3, 0.25): (6, (60, 120, 240)),
    (3, 1.0): (24, (240, 480, 960)),
    (4, 0.5): (24, (144, 272, 544)),
    (8, 0.5): (16, (192, 384, 768)),
    (8, 1.0): (24, (384, 768, 1536)),
}
IMAGES = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def _wrapped(name: str, state: dict[str, Tensor]) -> dict[str, object]:
    """A file as its authors save one."""
    if name == "mmpretrain":
        return {"meta": {"epoch": 300, "CLASSES": ["a", "b"]}, "state_dict": state}
    if name == "jaxony":
        prefixed = {f"module.{key}": tensor for key, tensor in state.items()}
        best = torch.tensor(62.2)
        return {"epoch": 90, "arch": "shufflenet", "state_dict": prefixed, "best_prec1": best}
    return dict(state)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_file_gives_the_logits_of_its_own_convention(
    name: str, variant: tuple[int, float], tmp_path: Path
) -> None:
    groups, scale = variant
    stem, widths = VARIANTS[variant]
    theirs = DESCRIPTIONS[name](groups, stem, widths)
    randomise(theirs, IMAGES, seed=groups)
    path = tmp_path / "weights.pth"
    torch.save(_wrapped(name, theirs.state_dict()), path)

    checkpoint = load(path)

    assert (checkpoint.convention, checkpoint.groups, checkpoint.scale) == (name, groups, scale)
    assert (checkpoint.stem_channels, checkpoint.classes) == (stem, CLASSES)
    assert not checkpoint.network.training
    # In float64, where what is left is the conversion's doing and not the order of additions.
    with torch.no_grad():
        expected = theirs.double()(IMAGES.double())
        logits = checkpoint.network.double()(IMAGES.double())
    if name == "jaxony":
        logits = functional.log_softmax(logits, dim=1)
    deviation = (expected - expected.mean(dim=0)).abs().max()
    assert deviation > 0.1  # else anything would pass
    # A permutation is exact; jaxony's biases go into running means, rounded to float32.
    assert (logits - expected).abs().max() / deviation < (1e-5 if name == "jaxony" else 1e-10)


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_weights_that_are_only_renamed_compute_something_else(name: str) -> None:
    # So the conversions are needed, and the test above would notice if one did nothing.
    stem, widths = VARIANTS[3, 0.25]
    theirs = DESCRIPTIONS[name](3, stem, widths)
    randomise(theirs, IMAGES)
    convention = next(c for c in CONVENTIONS if c.name == name)
    state, names = theirs.state_dict(), keys(convention)
    renamed = ShuffleNetV1(3, 0.25, stem_channels=stem, num_classes=CLASSES).eval()
    renamed.load_state_dict({ours: state[key] for key, ours in names.items()}, strict=False)
    with torch.no_grad():
        expected, logits = theirs(IMAGES), renamed(IMAGES)
    deviation = (expected - expected.mean(dim=0)).abs().max()
    assert (logits - expected).abs().max() / deviation > 0.1


def test_what_each_convention_wants_to_be_given() -> None:
    imagenet = Preprocessing(
        channel_order="RGB",
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        crop_fraction=0.875,
        crop=(224, 224),
    )
    assert {c.name: c.preprocessing for c in CONVENTIONS} == {
        "pytorchcv": imagenet,
        "megvii": Preprocessing(
            channel_order="BGR",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            crop_fraction=0.875,
            crop=(224, 224),
        ),
        "mmpretrain": imagenet,
        "jaxony": imagenet,
    }


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda convention: convention.name)
def test_a_convention_is_recognised_by_most_of_its_keys(convention) -> None:  # type: ignore[no-untyped-def]
    every = {key: torch.ones(1) for key in keys(convention)}
    names = list(every)
    most, few = names[len(names) // 3 :], names[: len(names) // 3]
    for some in (names, most):
        found = find({name: every[name] for name in some})
        assert found is not None
        assert found.convention is convention
    assert find({name: every[name] for name in few}) is None


@given(groups=st.sampled_from([1, 2, 3, 4, 8]), each=st.integers(1, 12))
def test_a_shuffle_of_reversed_channels_is_the_reversed_shuffle(groups: int, each: int) -> None:
    # What numbering all channels backwards rests on.
    x = torch.arange(groups * each).view(1, -1, 1, 1)
    assert channel_shuffle(x.flip(1), groups).equal(channel_shuffle(x, groups).flip(1))


def _options(channels: int, groups: int, shuffle_groups: int) -> Counter[tuple[int, int]]:
    """(group before, group behind) -> channels that a shuffle sends from one to the other."""
    each = channels // groups
    x = channel_shuffle(torch.arange(channels).view(1, -1, 1, 1), shuffle_groups).flatten()
    return Counter((int(channel) // each, place // each) for place, channel in enumerate(x))


def test_an_inverse_shuffle_is_not_always_a_permutation_of_weights() -> None:
    # Weights can be reordered within a group only, as the groups' own order is fixed by the
    # concatenations. That leaves these counts alone, and in stage 2 of 1x g=8 they differ.
    assert _options(60, 3, 3) == _options(60, 3, 60 // 3)
    assert _options(96, 8, 8) != _options(96, 8, 96 // 8)
