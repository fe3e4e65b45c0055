"""ShuffleNet V1 as table 1, figure 2 and section 3 of the paper have it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from shufflenet_deploy.models.networks import NETWORKS
from shufflenet_deploy.models.networks.shufflenet import (
    STAGE2_WIDTHS,
    ShuffleNetV1,
    ShuffleUnit,
    SqueezeExcitation,
    channel_shuffle,
    nearest_multiple,
)

GROUPS = NETWORKS["shufflenet-v1"].groups
STEM = "features.init_block.conv.weight"
SCALES = NETWORKS["shufflenet-v1"].scales


def test_shuffle_follows_the_papers_example() -> None:
    # Figure 1: channels of group one go to every group of the next layer.
    x = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert channel_shuffle(x, 3).flatten().tolist() == [0, 2, 4, 1, 3, 5]


@given(groups=st.integers(1, 6), each=st.integers(1, 6))
def test_shuffle_puts_each_channel_where_its_docstring_says(groups: int, each: int) -> None:
    x = torch.arange(float(groups * each)).reshape(1, -1, 1, 1)
    y = channel_shuffle(x, groups).flatten().tolist()
    for i in range(groups * each):
        assert y[i % each * groups + i // each] == i


@given(groups=st.integers(1, 6), each=st.integers(1, 6))
def test_shuffling_back_undoes_a_shuffle(groups: int, each: int) -> None:
    x = torch.arange(float(groups * each)).reshape(1, -1, 1, 1)
    assert channel_shuffle(channel_shuffle(x, groups), each).equal(x)


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("se", [False, True])
def test_every_variant_classifies(groups: int, scale: float, se: bool) -> None:
    with torch.device("meta"):
        network = ShuffleNetV1(groups, scale, squeeze_excitation=se).eval()
        assert network(torch.empty(2, 3, 64, 96)).shape == (2, 1000)


@pytest.mark.parametrize("groups", GROUPS)
def test_stages_have_the_sizes_of_table_1(groups: int) -> None:
    with torch.device("meta"):
        network = ShuffleNetV1(groups).eval()
        x = torch.empty(1, 3, 224, 224)
        shapes = [tuple((x := stage(x)).shape[1:]) for stage in network.features]
    width = STAGE2_WIDTHS[groups]
    assert shapes == [
        (24, 56, 56),
        (width, 28, 28),
        (2 * width, 14, 14),
        (4 * width, 7, 7),
    ]
    assert network.rounded == {}


def test_only_the_first_pointwise_convolution_of_stage_2_is_ungrouped() -> None:
    units = [unit for unit in ShuffleNetV1(3).modules() if isinstance(unit, ShuffleUnit)]
    assert [unit.compress_conv1.groups for unit in units] == [1] + [3] * 15
    assert {unit.expand_conv3.groups for unit in units} == {3}


def test_bottleneck_has_a_quarter_of_the_output() -> None:
    unit = ShuffleUnit(240, 240, groups=3, stride=1, first=False)
    assert unit.dw_conv2.out_channels == 60


def test_widths_that_do_not_divide_are_recorded() -> None:
    assert ShuffleNetV1(4, 0.5).rounded == {"stage2": (136.0, 144)}
    assert ShuffleNetV1(8, 0.5).rounded == {"stem": (12, 16)}


@pytest.mark.parametrize("scale", SCALES)
def test_three_groups_need_no_rounding(scale: float) -> None:
    assert ShuffleNetV1(3, scale).rounded == {}


@given(width=st.floats(1, 4000), of=st.integers(1, 64))
def test_rounding_is_to_the_nearest_multiple(width: float, of: int) -> None:
    rounded = nearest_multiple(width, of)
    assert rounded % of == 0
    assert rounded >= of
    assert abs(rounded - width) <= of / 2 or (rounded == of and width < of)


def test_stem_width_is_an_argument() -> None:
    # pytorchcv's 0.25x has 6 channels where the paper's count fits 12.
    assert ShuffleNetV1(3, 0.25, stem_channels=6).state_dict()[STEM].shape[0] == 6
    assert ShuffleNetV1(3, 0.25).state_dict()[STEM].shape[0] == 12


@pytest.mark.parametrize("stem", [0, -3, 7])
def test_stem_that_does_not_divide_is_refused(stem: int) -> None:
    with pytest.raises(ValueError, match=f"stem of {stem} channels"):
        ShuffleNetV1(3, stem_channels=stem)


def test_group_count_that_table_1_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="groups 5"):
        ShuffleNetV1(5)


def test_number_of_classes_is_an_argument() -> None:
    assert ShuffleNetV1(3, 0.25, num_classes=10).output.out_features == 10


def test_squeeze_and_excitation_is_two_layers_a_sigmoid_and_a_product() -> None:
    module = SqueezeExcitation(32)
    x = torch.randn(2, 32, 3, 5)
    weights = {key: tensor.squeeze() for key, tensor in module.state_dict().items()}
    assert weights["conv1.weight"].shape == (2, 32)
    middle = (x.mean(dim=(2, 3)) @ weights["conv1.weight"].T + weights["conv1.bias"]).relu()
    factors = (middle @ weights["conv2.weight"].T + weights["conv2.bias"]).sigmoid()
    torch.testing.assert_close(module(x), x * factors[:, :, None, None])


def test_squeeze_and_excitation_ends_every_branch_and_leaves_the_shortcut_alone() -> None:
    network = ShuffleNetV1(3, 0.25, squeeze_excitation=True).eval()
    units = [unit for unit in network.modules() if isinstance(unit, ShuffleUnit)]
    assert len(units) == 16
    for unit in units:
        assert unit.se is not None
        assert unit.se.conv2.out_channels == unit.expand_conv3.out_channels
        *_, bias = unit.se.conv2.parameters()
        nn.init.constant_(bias, -100)  # every factor is 0
    x = torch.rand(1, 60, 4, 4)
    assert units[1](x).equal(x)
    last = units[4](x)
    assert last[:, :60].abs().max() == 0
    assert last[:, 60:].equal(torch.nn.functional.avg_pool2d(x, 3, 2, 1))


@pytest.mark.parametrize(("channels", "reduced"), [(8, 1), (16, 1), (31, 1), (48, 3), (1920, 120)])
def test_a_reduction_that_does_not_divide_is_rounded_down(channels: int, reduced: int) -> None:
    assert SqueezeExcitation(channels).conv1.out_channels == reduced
