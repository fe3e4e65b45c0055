"""int8 of a network that was trained with 8 bits: its own ranges, and the same logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rounded_networks import AS_RANDOM, SIZE, rounded_network, write_rounded_network
from shufflenet_deploy.export import formats, pipeline
from shufflenet_deploy.export.capture.capture import capture, capture_rounded
from shufflenet_deploy.export.quantisation.ranges import trained_ranges
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.rewrites.pixels import with_normalisation
from shufflenet_deploy.export.source import open_source
from shufflenet_deploy.export.verify import OneByOne
from shufflenet_deploy.models.networks.activations import rounded_activations
from shufflenet_deploy.models.training.qat import as_rounded, measured_ranges, round_weights
from shufflenet_deploy.models.weights import checkpoint
from shufflenet_deploy.runtime.decibels import sqnr_db
from shufflenet_deploy.runtime.engines import open_session
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.images.datasets import open_dataset
from shufflenet_deploy.runtime.preprocess import fit, normalise
from shufflenet_deploy.runtime.seeded import to_layout

DIGITS = Path(__file__).parent.parent / "data" / "digits-shufflenet-v1-g3-x0.25.pth"
PIXELS = (-2.2, 2.7)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _request(**changes: object) -> Request:
    values = {"weights": "qat.pth", "precisions": ("int8",), "out": Path("out"), **changes}
    return Request(**values)  # type: ignore[arg-type]


def test_the_graph_is_that_of_the_network_without_rounding() -> None:
    network, ranges = rounded_network()
    plain = capture(network, SIZE)
    with rounded_activations(network, ranges):
        graph, found = capture_rounded(network, SIZE)
    assert [(node.name, type(node.operator)) for node in graph] == [
        (node.name, type(node.operator)) for node in plain
    ]
    for node in graph:
        assert getattr(node.operator, "relu", None) == getattr(
            plain.node(node.name).operator, "relu", None  # type: ignore[union-attr]
        )  # fmt: skip
    assert found.keys() <= {"images", *(node.name for node in graph)}
    assert capture_rounded(network, SIZE)[1] == {}


@pytest.mark.parametrize(
    ("groups", "io", "lowering", "squeeze_excitation"),
    [
        (1, "float32", "fast", False),
        (3, "float32", "fast", True),
        (3, "float32", "plain", False),
        (3, "uint8", "plain", True),
        (8, "int8", "fast", False),
    ],
)
def test_every_value_has_a_range(
    groups: int, io: str, lowering: str, squeeze_excitation: bool
) -> None:
    write_rounded_network(Path("qat.pth"), groups, squeeze_excitation=squeeze_excitation)
    request = _request(lowering=lowering, io=io)
    source = open_source(request)
    assert source.ranges is not None
    with rounded_activations(source.network, source.ranges):
        graph, known = capture_rounded(source.network, SIZE)
    if io != "float32":
        graph = with_normalisation(graph, AS_RANDOM, io)
    for options in request.artifacts(source.variant, source.tag):
        settled = formats.lower(graph, options).settled
        found = trained_ranges(settled, known, PIXELS)
        assert set(found) == {"images", *(node.name for node in settled)}
        assert found["images"] == PIXELS
        logits = source.ranges["output"]
        assert found[settled.output] == pytest.approx(logits, abs=(logits[1] - logits[0]) / 255)


def test_a_value_without_a_range_is_named() -> None:
    network, ranges = rounded_network()
    with rounded_activations(network, ranges):
        graph, known = capture_rounded(network, SIZE)
    del known["conv2d_4"]
    with pytest.raises(ExportError, match="have no range for conv2d_4: export the network from"):
        trained_ranges(graph, known, PIXELS)


def test_artifacts_reach_the_trained_logits() -> None:
    """Of real weights, and on real images: those of random ones double each rounding's error."""
    loaded = checkpoint.load(DIGITS)
    assert loaded.input_size is not None
    examples = open_dataset("digits", "train").examples
    pixels = np.stack([fit(example.read(), loaded.preprocessing) for example in examples[:128]])
    inputs = torch.from_numpy(to_layout(normalise(pixels, loaded.preprocessing), "NCHW"))
    ranges = measured_ranges(loaded.network, [inputs[:64]], torch.tensor([-1.0, 1.0]))
    round_weights(loaded.network)
    checkpoint.save(
        Path("qat.pth"),
        as_rounded(loaded.network, ranges),
        labels=loaded.labels,
        preprocessing=loaded.preprocessing,
        input_size=loaded.input_size,
        ranges=ranges,
    )
    lines: list[str] = []
    artifacts = pipeline.export(_request(), lines.append)
    assert any("int8 has the ranges that it was trained with" in line for line in lines)
    network = checkpoint.load(Path("qat.pth")).network
    inputs = inputs[64:]
    plain = network(inputs).detach().numpy()
    with torch.inference_mode(), rounded_activations(network, ranges):
        trained = network(inputs).numpy()
    assert [artifact.manifest.options.format for artifact in artifacts] == list(FORMATS)
    for artifact in artifacts:
        nchw = FORMATS[artifact.manifest.options.format].layout == "NCHW"
        given = inputs if nchw else inputs.permute(0, 2, 3, 1).contiguous()
        logits = OneByOne(open_session(artifact.path)).run(given.numpy())
        # Sums of integers and of floats are rounded to the other side here and there, after which
        # others are: nothing more is left.
        assert sqnr_db(trained, logits) > 28
        assert sqnr_db(trained, logits) > sqnr_db(plain, logits) + 1
        assert artifact.manifest.quantisation is not None
        assert artifact.manifest.quantisation.ranges == "trained"


def test_images_only_judge() -> None:
    write_rounded_network(Path("qat.pth"))
    request = _request(formats=("onnx",), calibration="digits", min_agreement=0)
    (artifact,) = pipeline.export(request, lambda line: None)
    assert artifact.manifest.calibration is not None
    assert artifact.manifest.calibration.samples == 0
    assert artifact.manifest.calibration.held_out == 64
