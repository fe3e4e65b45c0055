"""Multiply-adds against the paper's tables and against closed formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from shufflenet_deploy.export.capture.capture import capture
from shufflenet_deploy.export.graph import complexity
from shufflenet_deploy.export.graph.graph import Graph, Node
from shufflenet_deploy.export.graph.operators import Convolution
from shufflenet_deploy.export.manifest import parameters
from shufflenet_deploy.models.networks import build, variant
from shufflenet_deploy.models.networks.shufflenet import ShuffleUnit


def multiply_adds(network: nn.Module, size: tuple[int, int]) -> int:
    return complexity.multiply_adds(capture(network, size))


@pytest.mark.parametrize(("groups", "millions"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenet_1x_has_the_complexity_of_table_1(groups: int, millions: float) -> None:
    network = build(variant("shufflenet-v1", groups))
    assert multiply_adds(network, (224, 224)) / 1e6 == pytest.approx(millions, rel=0.015)


@pytest.mark.parametrize(
    ("scale", "millions", "within"),
    [(0.25, 13, 0.05), (0.5, 38, 0.05), (1.5, 292, 0.005), (2.0, 524, 0.005)],
)
def test_scaled_shufflenets_have_the_complexity_of_tables_2_and_5(
    scale: float, millions: float, within: float
) -> None:
    network = build(variant("shufflenet-v1", 3, scale))
    assert multiply_adds(network, (224, 224)) / 1e6 == pytest.approx(millions, rel=within)


def test_squeeze_and_excitation_has_the_complexity_of_table_5() -> None:
    network = build(variant("shufflenet-v1-se", 3, 2.0))
    assert multiply_adds(network, (224, 224)) / 1e6 == pytest.approx(527, rel=0.002)


@pytest.mark.parametrize("groups", [1, 3, 8])
def test_squeeze_and_excitation_adds_two_layers_to_each_branch(groups: int) -> None:
    plain, network = (
        build(variant(name, groups, 0.5)) for name in ("shufflenet-v1", "shufflenet-v1-se")
    )
    branches = [
        unit.expand_conv3.out_channels
        for unit in network.modules()
        if isinstance(unit, ShuffleUnit)
    ]
    assert len(branches) == 16
    added = sum(2 * channels * (channels // 16) for channels in branches)
    size = (64, 96)
    assert multiply_adds(network, size) - multiply_adds(plain, size) == added
    # The weights and the biases of both layers.
    biases = sum(channels + channels // 16 for channels in branches)
    assert parameters(network) - parameters(plain) == added + biases


@pytest.mark.parametrize(("scale", "millions"), [(1.0, 569), (0.75, 325), (0.5, 149), (0.25, 41)])
def test_mobilenet_has_the_complexity_of_table_5(scale: float, millions: float) -> None:
    network = build(variant("mobilenet-v1", scale=scale))
    assert multiply_adds(network, (224, 224)) / 1e6 == pytest.approx(millions, rel=0.005)


@pytest.mark.parametrize("side", [224, 227])
def test_alexnet_has_724_million(side: int) -> None:
    network = build(variant("alexnet", input_size=(side, side)))
    first = 55 * 55 * 96 * 3 * 11 * 11
    second = 27 * 27 * 256 * 48 * 5 * 5
    third = 13 * 13 * 9 * (384 * 256 + 384 * 192 + 256 * 192)
    connected = 9216 * 4096 + 4096 * 4096 + 4096 * 1000
    assert multiply_adds(network, (side, side)) == first + second + third + connected
    assert 720e6 < first + second + third + connected < 725e6


@given(
    groups=st.integers(1, 4),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    side=st.integers(6, 12),
)
def test_a_convolution_costs_its_closed_formula(
    groups: int, inputs: int, outputs: int, kernel: int, stride: int, side: int
) -> None:
    convolution = Convolution(
        np.zeros((outputs * groups, inputs, kernel, kernel)),
        np.zeros(outputs * groups),
        (stride, stride),
        groups=groups,
    )
    graph = Graph(
        "images",
        (inputs * groups, side, side),
        (Node("convolution", convolution, ("images",)),),
        "convolution",
    )
    positions = ((side - kernel) // stride + 1) ** 2
    assert complexity.multiply_adds(graph) == positions * outputs * groups * inputs * kernel**2


def test_unit_costs_what_section_3_2_says() -> None:
    # hw(2cm/g + 9m) for an input of c channels, h x w, and a bottleneck of m (section 3.2).
    c, m, g, side = 240, 60, 3, 28
    stem = nn.Conv2d(3, c, 1)
    unit = ShuffleUnit(c, c, g, stride=1, first=False).eval()
    cost = multiply_adds(nn.Sequential(stem, unit), (side, side))
    assert cost - side**2 * 3 * c == side**2 * (2 * c * m // g + 9 * m)


def test_parameters_are_the_trainable_numbers() -> None:
    assert parameters(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))) == 112 + 8
    assert parameters(build(variant("alexnet"))) == 60_965_224


@pytest.mark.parametrize("name", ["shufflenet-v1", "shufflenet-v1-se", "alexnet", "mobilenet-v1"])
def test_torch_counts_as_many(name: str) -> None:
    """Its counter, which counts a multiplication and an addition apart, is ten times slower."""
    network = build(variant(name)).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        network(torch.zeros(1, 3, 224, 224))
    assert multiply_adds(network, (224, 224)) == counter.get_total_flops() // 2
