"""Verification passes what is right and fails what is broken, however slightly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from shufflenet_deploy.export.capture.capture import capture
from shufflenet_deploy.export.formats import emitter_for
from shufflenet_deploy.export.graph.graph import Graph, Node
from shufflenet_deploy.export.graph.operators import Convolution, Gather, Shuffle
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.source import random_network
from shufflenet_deploy.export.staging import write_files
from shufflenet_deploy.export.verify import Reference, reference, self_check, verify
from shufflenet_deploy.models.networks import build, variant
from shufflenet_deploy.runtime.engines import NO_REMARKS, open_session
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.manifest import Preprocessing, Verification
from shufflenet_deploy.runtime.preprocess import as_input
from shufflenet_deploy.runtime.seeded import seeded_pixels

VARIANT = variant("shufflenet-v1", 3, 0.25, (64, 64))
PREPROCESSING = Preprocessing(crop=VARIANT.input_size)
(OPTIONS, *_) = Request(out=Path()).artifacts(VARIANT, "random")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return random_network(VARIANT)


@pytest.fixture(scope="module")
def graph(network: nn.Module) -> Graph:
    return capture(network, VARIANT.input_size)


@pytest.fixture(scope="module")
def wanted(network: nn.Module) -> Reference:
    return reference(network, PREPROCESSING)


def _images(wanted: Reference, layout: str = "NCHW") -> NDArray[Any]:
    return as_input(wanted.pixels, wanted.preprocessing, "float32", layout)


def _verify(graph: Graph, wanted: Reference, format_: str, folder: Path) -> Verification:
    path = folder / f"graph.{format_}"
    write_files(path, emitter_for(format_).emit(graph, OPTIONS).files)
    images = _images(wanted, FORMATS[format_].layout)
    return verify(open_session(path), images, "fp32", wanted)


@pytest.mark.parametrize("format_", FORMATS)
def test_the_right_graph_passes(
    format_: str, graph: Graph, wanted: Reference, tmp_path: Path
) -> None:
    figures = _verify(graph, wanted, format_, tmp_path)
    assert figures.difference < figures.tolerance == 1e-4
    assert figures.inputs == len(wanted.pixels) == 8


def _first(graph: Graph, is_wanted: Callable[[Node], bool]) -> Node:
    return next(node for node in graph if is_wanted(node))


def _swapped_channel(graph: Graph) -> Graph:
    """Two filters of a depthwise convolution change places."""
    node = _first(graph, lambda n: isinstance(n.operator, Convolution) and n.operator.is_depthwise)
    convolution = node.operator
    assert isinstance(convolution, Convolution)
    order = np.arange(len(convolution.bias))
    order[[0, 1]] = 1, 0
    swapped = replace(convolution, weight=convolution.weight[order], bias=convolution.bias[order])
    return graph.with_nodes({node.name: replace(node, operator=swapped)})


def _dropped_layer(graph: Graph) -> Graph:
    """A depthwise convolution of stride 1 is left out, in the last stage."""
    nodes = [
        node
        for node in graph
        if isinstance(node.operator, Convolution)
        and node.operator.is_depthwise
        and node.operator.stride == (1, 1)
    ]
    return graph.with_nodes({nodes[-1].name: None})


def _missing_shuffle(graph: Graph) -> Graph:
    """The last shuffle of the network is left out: one of sixteen, where the map is smallest."""
    *_, last = (node for node in graph if isinstance(node.operator, Shuffle))
    return graph.with_nodes({last.name: None})


def _inverse_shuffle(graph: Graph) -> Graph:
    node = _first(graph, lambda n: isinstance(n.operator, Shuffle))
    channels = 15
    inverse = np.arange(channels).reshape(channels // 3, 3).T.ravel()
    gather = Gather(tuple(int(channel) for channel in inverse))
    return graph.with_nodes({node.name: replace(node, operator=gather)})


def _asymmetric_padding(graph: Graph) -> Graph:
    """The first convolution's padding moves by a pixel, as SAME would have it."""
    node = _first(graph, lambda n: isinstance(n.operator, Convolution))
    convolution = node.operator
    assert isinstance(convolution, Convolution)
    shifted = np.roll(convolution.weight, 1, axis=3)
    return graph.with_nodes(
        {node.name: replace(node, operator=replace(convolution, weight=shifted))}
    )


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    "broken",
    [_swapped_channel, _dropped_layer, _missing_shuffle, _inverse_shuffle, _asymmetric_padding],
)
def test_a_broken_graph_fails(
    broken: Callable[[Graph], Graph], format_: str, graph: Graph, wanted: Reference, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="verification failed"):
        _verify(broken(graph), wanted, format_, tmp_path)


def test_the_right_network_with_other_weights_fails(wanted: Reference, tmp_path: Path) -> None:
    other = capture(build(VARIANT), VARIANT.input_size)
    with pytest.raises(ExportError, match="verification failed"):
        _verify(other, wanted, "onnx", tmp_path)


class _Constant:
    """A session that answers what it is given to answer."""

    engine = "test"
    engine_version = "0"
    remarks = NO_REMARKS
    inputs = ()

    def __init__(self, logits: NDArray[np.float32]) -> None:
        self._logits = logits

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        return self._logits


def test_not_a_number_fails(wanted: Reference) -> None:
    logits = wanted.logits.copy()
    logits[3, 3] = np.nan
    with pytest.raises(ExportError, match="range, allowed"):
        verify(_Constant(logits), _images(wanted), "fp32", wanted)


def test_logits_of_another_shape_fail(wanted: Reference) -> None:
    with pytest.raises(ExportError, match="answers"):
        verify(_Constant(wanted.logits[:, :-1]), _images(wanted), "fp32", wanted)


def test_difference_is_over_the_deviation(wanted: Reference) -> None:
    logits = wanted.logits.copy()
    logits[0, 0] += 5e-5 * wanted.deviation
    figures = verify(_Constant(logits), _images(wanted), "fp32", wanted)
    assert figures.difference == pytest.approx(5e-5, rel=0.05)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_network_whose_logits_say_nothing_is_no_reference(value: float) -> None:
    network = build(VARIANT)
    torch.nn.init.constant_(network.state_dict()["output.weight"], value)
    with pytest.raises(ExportError, match="nothing could be verified"):
        reference(network, PREPROCESSING)


def test_the_self_check_is_the_first_image(network: nn.Module, wanted: Reference) -> None:
    check = self_check("fp32", wanted)
    pixels = seeded_pixels(1, VARIANT.input_size, check.seed)
    image = as_input(pixels, PREPROCESSING, "float32", "NCHW")
    with torch.no_grad():
        logits = network(torch.from_numpy(image)).numpy()[0]
    np.testing.assert_allclose(check.logits, logits, atol=1e-5)
