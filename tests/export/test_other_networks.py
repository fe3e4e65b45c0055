"""Networks of others, from the module to engines: exact, one partition, and small in 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from other_networks import OTHER_NETWORKS, shufflenet_v2
from shufflenet_deploy.export.capture.capture import capture
from shufflenet_deploy.export.formats import emitter_for, lower, quantiser_for
from shufflenet_deploy.export.graph.operators import Gather, Slice
from shufflenet_deploy.export.graph.reference import interpret
from shufflenet_deploy.export.quantisation.ranges import Rule, ranges
from shufflenet_deploy.export.quantisation.statistics import collect
from shufflenet_deploy.export.staging import write_files
from shufflenet_deploy.models.weights.random import randomise
from shufflenet_deploy.runtime.decibels import sqnr_db
from shufflenet_deploy.runtime.engines import open_session
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.seeded import seeded_images, to_layout

SIZE = (48, 64)
IMAGES = np.concatenate([seeded_images(1, SIZE, seed) for seed in range(8)])
PIXELS = (-3.0, 3.0)
"""The range of a normalised image's numbers."""


def _options(format_: str, precision: str) -> Options:
    return Options(
        network="other",
        groups=None,
        scale=None,
        input_size=SIZE,
        format=format_,
        precision=precision,
    )


@pytest.mark.parametrize("build", OTHER_NETWORKS)
@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_a_network_of_others(
    build: Callable[[], nn.Sequential], format_: str, tmp_path: Path
) -> None:
    network, images = build(), to_layout(IMAGES, "NCHW")
    randomise(network, torch.from_numpy(images))
    captured = capture(network, SIZE)
    with torch.no_grad():
        wanted = network.double()(torch.from_numpy(images).double()).numpy()
    spread = np.abs(wanted - wanted.mean(axis=0)).max()
    np.testing.assert_allclose(interpret(captured, images), wanted, rtol=0, atol=1e-10 * spread)
    given = to_layout(IMAGES, FORMATS[format_].layout)

    options = _options(format_, "fp32")
    whole = tmp_path / f"whole.{format_}"
    graph = lower(captured, options).graph
    write_files(whole, emitter_for(format_).emit(graph, options).files)
    session = open_session(whole)
    assert session.remarks.get("delegate_partitions") in (1, None)
    assert np.abs(session.run(given) - wanted).max() < 1e-4 * spread

    options = _options(format_, "int8")
    small = tmp_path / f"small.{format_}"
    graph = lower(captured, options).graph
    several = [image[None] for image in images]
    known = ranges(graph, collect(graph, several), Rule(), PIXELS)
    quantiser = quantiser_for(format_)
    emitted = quantiser.quantise(quantiser.emit(graph, options), graph, options, known)
    write_files(small, emitted.files)
    session = open_session(small)
    assert session.remarks.get("delegate_partitions") in (1, None)
    assert sqnr_db(wanted.astype(np.float32), session.run(given)) > 10


def test_shufflenet_v2_is_slices_and_gathers() -> None:
    graph = capture(shufflenet_v2().eval(), SIZE)
    lowered = lower(graph, _options("onnx", "fp32"))
    kinds = [type(node.operator) for node in lowered.graph]
    assert (kinds.count(Slice), kinds.count(Gather)) == (4, 4)
