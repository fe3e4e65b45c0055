"""From PyTorch networks to graphs: what is computed stays, and what is unknown is refused."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from shufflenet_deploy.export.capture.capture import capture
from shufflenet_deploy.export.graph.operators import (
    AdaptiveAveragePool,
    Add,
    Affine,
    ChannelScale,
    Concatenate,
    Convolution,
    Elu,
    Flatten,
    FullyConnected,
    Gather,
    Gelu,
    GlobalMean,
    LeakyRelu,
    LocalResponseNorm,
    MaxPool,
    Multiply,
    Relu,
    Shuffle,
    Sigmoid,
    Slice,
    Tanh,
)
from shufflenet_deploy.export.graph.reference import interpret
from shufflenet_deploy.models.networks import build, variant
from shufflenet_deploy.models.weights.random import randomise
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.seeded import seeded_images, to_layout


def _assert_captured(network: nn.Module, size: tuple[int, int]) -> list[type]:
    images = to_layout(seeded_images(3, size, 5), "NCHW")
    randomise(network, torch.from_numpy(images))
    graph = capture(network, size)
    with torch.no_grad():
        expected = network.double()(torch.from_numpy(images).double()).numpy()
    scale = np.abs(expected - expected.mean(axis=0)).max()
    assert scale > 0.01
    np.testing.assert_allclose(interpret(graph, images), expected, rtol=0, atol=1e-10 * scale)
    return [type(node.operator) for node in graph]


@pytest.mark.parametrize(
    ("network", "groups", "size"),
    [
        ("shufflenet-v1", 1, (64, 64)),
        ("shufflenet-v1", 3, (64, 64)),
        ("shufflenet-v1", 8, (65, 97)),
        ("shufflenet-v1-se", 1, (64, 64)),
        ("shufflenet-v1-se", 3, (65, 97)),
        ("mobilenet-v1", None, (64, 96)),
        ("alexnet", None, (224, 224)),
        ("alexnet", None, (227, 227)),
        ("alexnet", None, (131, 163)),
    ],
)
def test_every_network_is_captured_exactly(
    network: str, groups: int | None, size: tuple[int, int]
) -> None:
    scale = None if network == "alexnet" else 0.25
    kinds = _assert_captured(build(variant(network, groups, scale, size)), size)
    assert Affine not in kinds


def test_shufflenet_is_its_own_layers_and_no_more() -> None:
    graph = capture(build(variant("shufflenet-v1", 3, 0.25)), (224, 224))
    kinds = [type(node.operator) for node in graph]
    assert kinds.count(Shuffle) == 16
    assert kinds.count(Convolution) == 1 + 3 * 16
    assert kinds.count(Add) == 13
    assert kinds.count(Relu) == 3  # after the concatenations; the others are folded
    assert kinds.count(GlobalMean) == 1
    assert {node.operator.groups for node in graph if isinstance(node.operator, Shuffle)} == {3}


def test_squeeze_and_excitation_is_its_own_layers_and_no_more() -> None:
    plain, graph = (
        capture(build(variant(name, 3, 0.25)), (224, 224))
        for name in ("shufflenet-v1", "shufflenet-v1-se")
    )
    more = Counter(type(node.operator) for node in graph)
    more.subtract(type(node.operator) for node in plain)
    assert +more == {GlobalMean: 16, Convolution: 32, Sigmoid: 16, ChannelScale: 16}
    assert not -more


def test_adaptive_pooling_to_the_size_that_is_there_vanishes() -> None:
    for size, count in (((224, 224), 0), (((256, 288)), 1)):
        graph = capture(build(variant("alexnet", input_size=size)), size)
        kinds = [type(node.operator) for node in graph]
        assert kinds.count(AdaptiveAveragePool) == count
        assert kinds.count(LocalResponseNorm) == 2


class _Head(nn.Module):
    """A convolution, then whatever is to be tested."""

    def __init__(self, tail: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.tail = tail

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x if self.tail is None else self.tail(x)


class _Weighed(nn.Module):
    """A map times a number for each channel, in either order."""

    def __init__(self, map_first: bool) -> None:
        super().__init__()
        self.map_first = map_first

    def forward(self, x: Tensor) -> Tensor:
        factors = x.mean(dim=(3, 2), keepdim=True).sigmoid()
        return x * factors if self.map_first else factors * x


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        (nn.ChannelShuffle(3), Shuffle),
        (nn.AdaptiveAvgPool2d((2, 3)), AdaptiveAveragePool),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), GlobalMean),
        (nn.AdaptiveAvgPool2d(1), GlobalMean),
        (_Weighed(map_first=True), ChannelScale),
        (_Weighed(map_first=False), ChannelScale),
        (nn.LocalResponseNorm(3, 0.5, 0.75, 1.5), LocalResponseNorm),
        (nn.Sequential(nn.Conv2d(6, 6, 3, groups=2, bias=False), nn.BatchNorm2d(6)), Convolution),
        (nn.Sequential(nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6, affine=False)), Convolution),
        (nn.Sequential(nn.AvgPool2d(3, 2), nn.MaxPool2d(2), nn.Flatten()), Convolution),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_other_spellings_are_understood(tail: nn.Module, kind: type) -> None:
    assert kind in _assert_captured(_Head(tail).eval(), (9, 11))


class _Call(nn.Module):
    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)  # type: ignore[operator, no-any-return]


class _Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


_EACH = torch.arange(6.0)[:, None, None]
"""A number for each channel."""


@pytest.mark.parametrize(
    ("function", "kinds"),
    [
        (lambda x: functional.relu6(x), [Convolution]),
        (nn.ReLU6(inplace=True), [Convolution]),
        (lambda x: functional.hardtanh(x, 0.0, 1.5), [Convolution]),
        (lambda x: x.clamp(min=0), [Convolution]),
        (lambda x: x.clamp(0, 0.7), [Convolution]),
        (lambda x: functional.relu6(x + x.sigmoid()), [Convolution, Sigmoid, Add]),
        (functional.leaky_relu, [Convolution, LeakyRelu]),
        (nn.LeakyReLU(0.3, inplace=True), [Convolution, LeakyRelu]),
        (nn.PReLU(), [Convolution, LeakyRelu]),
        (nn.PReLU(6), [Convolution, LeakyRelu]),
        (nn.ELU(0.7), [Convolution, Elu]),
        (functional.gelu, [Convolution, Gelu]),
        (lambda x: functional.gelu(x, approximate="tanh"), [Convolution, Gelu]),
        (nn.SiLU(inplace=True), [Convolution, Sigmoid, Multiply]),
        (lambda x: x * x.sigmoid(), [Convolution, Sigmoid, Multiply]),
        (lambda x: (x * x).relu(), [Convolution, Multiply]),
        (torch.tanh, [Convolution, Tanh]),
        (nn.Conv2d(6, 6, 3, padding=2, dilation=2), [Convolution, Convolution]),
        (nn.Conv2d(6, 6, (3, 2), 2, dilation=(1, 3), groups=6), [Convolution, Convolution]),
        (functional.hardsigmoid, [Convolution, Affine]),
        (nn.Hardswish(inplace=True), [Convolution, Affine, Affine, Multiply]),
        (lambda x: x * functional.relu6(x + 3) / 6, [Convolution, Affine, Multiply, Affine]),
        (lambda x: x.mean(3).mean(2), [Convolution, GlobalMean]),
        (lambda x: x.mean((2, 3), keepdim=True).squeeze(), [Convolution, GlobalMean]),
        (lambda x: x.amax(dim=(2, 3)), [Convolution, MaxPool, Flatten]),
        (nn.AdaptiveMaxPool2d(1), [Convolution, MaxPool]),
        (nn.Sequential(nn.ReLU(), nn.BatchNorm2d(6), nn.ReLU()), [Convolution, Affine]),
        (
            nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5), nn.BatchNorm1d(5)
            ),
            [Convolution, GlobalMean, FullyConnected],
        ),
        (lambda x: (2 * x + 1) / 3 - 0.5, [Convolution]),
        (lambda x: 1 - x.tanh(), [Convolution, Tanh, Affine]),
        (lambda x: -x.tanh(), [Convolution, Tanh, Affine]),
        (lambda x: x.tanh() - x, [Convolution, Tanh, Affine, Add]),
        (lambda x: x.sigmoid().mul_(2).add_(x), [Convolution, Sigmoid, Affine, Add]),
        (
            lambda x: x.tanh() * torch.tensor([1.0, 2, 3, 4, 5, 6])[:, None, None],
            [Convolution, Tanh, Affine],
        ),
        (lambda x: x[:, 1:-2], [Convolution, Slice]),
        (lambda x: x.narrow(1, 2, 3), [Convolution, Slice]),
        (lambda x: x[:, 1::2], [Convolution, Gather]),
        (lambda x: x.chunk(2, dim=1)[1], [Convolution, Slice]),
        (lambda x: x.split([1, 5], dim=1)[1], [Convolution, Slice]),
        (lambda x: torch.cat(x.split(4, 1)[::-1], 1), [Convolution, Slice, Slice, Concatenate]),
    ],
)
def test_functions_are_their_operators(function: object, kinds: list[type]) -> None:
    module = function if isinstance(function, nn.Module) else _Call(function)
    found = _assert_captured(_Head(module).eval(), (9, 11))
    assert sorted(map(str, found)) == sorted(map(str, kinds))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: functional.relu(x.tanh(), inplace=True) + x,
        lambda x: torch.add(torch.relu_(x), x),
        lambda x: torch.relu_(x.clone()) + x,
        lambda x: torch.sigmoid_(functional.dropout(x, training=False)) + x,
        lambda x: x.mul_(x.tanh()).add_(x),
    ],
)
def test_what_is_done_in_place_is_seen_by_all_that_read_it_after(function: object) -> None:
    _assert_captured(_Head(_Call(function)).eval(), (9, 11))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: x * x.mean(dim=(2, 3), keepdim=True).mean(dim=1, keepdim=True), "aten.mean"),
        (lambda x: functional.relu(torch.sin(x) * 2), "aten.sin.default"),
        (lambda x: x[:, :, 1:], "aten.slice.Tensor"),
        (lambda x: x[:, 1], "aten.select.int"),
        (lambda x: x * torch.arange(8.0), "aten.mul.Tensor"),
        (lambda x: functional.conv2d(x, x[:1, :, :3, :3]), "aten.slice.Tensor"),
        (lambda x: x / x.sigmoid(), "aten.div.Tensor"),
        (lambda x: torch.add(x, x, alpha=2), "aten.add.Tensor"),
        (lambda x: x // 2, "aten.floor_divide"),
        (lambda x: x.chunk(2, dim=2)[0], "aten.chunk.default"),
        (lambda x: x.unbind(1)[0], "aten.unbind.int"),
        (lambda x: x.clamp(-1, 1), "aten.clamp.default"),
        (lambda x: functional.hardtanh(x), "aten.hardtanh.default"),
        (functional.selu, "aten.selu.default"),
        (lambda x: x.mean(3).mean(1), "aten.mean.dim"),
        (lambda x: x.amax(dim=1, keepdim=True), "aten.amax.default"),
        (nn.AdaptiveMaxPool2d(2), "aten.adaptive_max_pool2d.default"),
        (lambda x: x.mean(dim=(1, 2)), "aten.mean.dim"),
        (lambda x: torch.cat((x, x), dim=2), "aten.cat.default.*dimension 2"),
        (lambda x: x.view(2, 2, 3, 8, 8), "aten.view.default"),
        (lambda x: x.view(2, 2, 3, 8, 8).transpose(2, 3).reshape(2, 6, 8, 8), "aten.view.default"),
        (
            lambda x: functional.max_pool2d(x, 2, dilation=2),
            "aten.max_pool2d.default.*dilation",
        ),
        (
            lambda x: functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
            "aten.avg_pool2d.default.*uncounted padding",
        ),
    ],
)
def test_what_has_no_translation_is_refused_by_name(function: object, name: str) -> None:
    with pytest.raises(ExportError, match=f"cannot export operator {name}"):
        capture(_Head(_Call(function)).eval(), (8, 8))


class _Normalised(nn.Module):
    """Takes pixels of 0 to 255, and normalises them itself."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([123.0, 116.0, 103.0])[:, None, None])
        self.register_buffer("std", torch.tensor([58.0, 57.0, 56.0])[None, :, None, None])
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv((x - self.mean) / self.std)
        return y


def test_a_network_that_normalises_its_input_itself() -> None:
    assert _assert_captured(_Normalised().eval(), (8, 8)) == [Affine, Convolution]


def test_batch_norm_without_statistics_of_its_own_is_refused() -> None:
    norm = nn.BatchNorm2d(6, track_running_stats=False)
    with pytest.raises(ExportError, match="track_running_stats"):
        capture(_Head(norm).eval(), (8, 8))


@pytest.mark.parametrize("groups", [1, 6])
def test_a_shuffle_that_moves_nothing_vanishes(groups: int) -> None:
    graph = capture(_Head(nn.ChannelShuffle(groups)).eval(), (8, 8))
    assert [type(node.operator) for node in graph] == [Convolution]


def test_capturing_leaves_the_network_alone() -> None:
    network = build(variant("shufflenet-v1", 3, 0.25))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    capture(network, (32, 32))
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())


@given(
    size=st.tuples(st.integers(4, 12), st.integers(4, 12)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padded=st.booleans(),
)
@settings(max_examples=25)
def test_max_pooling_in_ceil_mode(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], padded: bool
) -> None:
    padding = (kernel[0] // 2, kernel[1] // 2) if padded else 0
    pool = nn.MaxPool2d(kernel, stride, padding, ceil_mode=True)
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    graph = capture(pool, size)
    np.testing.assert_array_equal(interpret(graph, images.numpy()), pool(images).double().numpy())
