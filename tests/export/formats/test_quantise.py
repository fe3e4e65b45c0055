"""int8 and fp16 artifacts, and those that take pixels: small, whole, and still the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from PIL import Image

from generated_graphs import Building, classified
from shufflenet_deploy.export import pipeline
from shufflenet_deploy.export.capture.capture import capture
from shufflenet_deploy.export.formats import lower, quantiser_for
from shufflenet_deploy.export.formats.onnx import emit as to_onnx
from shufflenet_deploy.export.formats.onnx.quantise import quantise as quantise_onnx
from shufflenet_deploy.export.formats.tflite import emit as to_tflite
from shufflenet_deploy.export.formats.tflite.quantise import quantise as quantise_tflite
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import (
    Affine,
    ChannelScale,
    Convolution,
    Elu,
    Gelu,
    GlobalMean,
    LeakyRelu,
    Multiply,
    Operator,
    Relu,
    Sigmoid,
    Slice,
    Tanh,
)
from shufflenet_deploy.export.graph.reference import interpret
from shufflenet_deploy.export.quantisation.ranges import Rule
from shufflenet_deploy.export.quantisation.ranges import ranges as ranges_by
from shufflenet_deploy.export.quantisation.statistics import collect
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.staging import write_files
from shufflenet_deploy.export.verify import Reference, judge
from shufflenet_deploy.models.networks import NETWORKS, build
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.models.weights import checkpoint
from shufflenet_deploy.models.weights.random import randomise
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.decibels import sqnr_db
from shufflenet_deploy.runtime.engines import NO_REMARKS, open_session
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.manifest import Preprocessing
from shufflenet_deploy.runtime.preprocess import network_input, normalise
from shufflenet_deploy.runtime.seeded import seeded_images, seeded_pixels, to_layout

SIZE = (64, 64)
PREPROCESSING = Preprocessing(crop=SIZE)


def _export(out: Path, **changes: Any) -> list[Artifact]:
    asked = Request(**{"scale": 0.5, "input_size": SIZE, "out": out, **changes})
    return pipeline.export(asked, lambda line: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Artifact]:
    """Every precision and input type, in both formats."""
    out = tmp_path_factory.mktemp("made")
    artifacts = [
        artifact
        for io in ("float32", "uint8", "int8")
        for artifact in _export(out, precisions=("fp32", "fp16", "int8"), io=io)
    ]
    return {
        (a.manifest.options.format, a.manifest.options.precision, a.manifest.options.io): a
        for a in artifacts
    }


def _logits(artifact: Artifact, count: int = 3) -> np.ndarray[Any, Any]:
    pixels = seeded_pixels(count, SIZE, seed=99)
    return open_session(artifact.path).run(network_input(pixels, artifact.manifest))


@pytest.mark.parametrize("format_", ["onnx", "tflite"])
@pytest.mark.parametrize("io", ["float32", "uint8", "int8"])
def test_sizes_shrink_to_a_half_and_a_quarter(made: Any, format_: str, io: str) -> None:
    full, half, quarter = (
        made[format_, precision, io].manifest.size_bytes for precision in ("fp32", "fp16", "int8")
    )
    assert 0.45 < half / full < 0.6
    assert 0.2 < quarter / full < 0.42  # small: names and scales weigh much at 0.5x


@pytest.mark.parametrize("format_", ["onnx", "tflite"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_pixels_give_what_normalised_floats_give(made: Any, format_: str, precision: str) -> None:
    wanted = _logits(made[format_, "fp32", "float32"])
    deviation = np.abs(wanted - wanted.mean(axis=0)).max()
    for io in ("float32", "uint8", "int8"):
        difference = np.abs(_logits(made[format_, precision, io]) - wanted).max() / deviation
        assert difference < {"fp32": 1e-4, "fp16": 0.05, "int8": 0.8}[precision]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("io", ["float32", "uint8", "int8"])
def test_tflite_is_one_partition(made: Any, precision: str, io: str) -> None:
    assert made["tflite", precision, io].manifest.remarks.get("delegate_partitions") == 1


def _ranges(graph: Graph, images: list[NDArray[np.float32]]) -> Ranges:
    """The extremes of the graph's values on images (1, H, W, C)."""
    inputs = [image.transpose(0, 3, 1, 2) for image in images]
    return ranges_by(graph, collect(graph, inputs), Rule(), (-3.0, 3.0))


# Every group count and every scale; those of both that are not the paper's usual are slow together.
VARIANTS = [
    pytest.param(
        network,
        groups,
        scale,
        marks=() if scale == 0.5 or groups in (3, None) else pytest.mark.slow,
    )
    for network, entry in NETWORKS.items()
    if network != "alexnet"
    for groups in entry.groups or (None,)
    for scale in entry.scales
]


@pytest.mark.parametrize(("network", "groups", "scale"), VARIANTS)
def test_every_int8_variant_is_one_partition(
    network: str, groups: int | None, scale: float, tmp_path: Path
) -> None:
    """Of PyTorch's initial weights and two inputs: which operators there are depends on neither."""
    asked = Request(
        network=network,
        groups=groups,
        scale=scale,
        input_size=SIZE,
        precisions=("int8",),
        formats=("tflite",),
        out=tmp_path,
    )
    chosen = asked.variant()
    (options,) = asked.artifacts(chosen, "random")
    graph = lower(capture(build(chosen), SIZE), options).graph
    ranges = _ranges(graph, [seeded_images(1, SIZE, seed) for seed in (0, 1)])
    path = tmp_path / options.file_name
    tflite = quantiser_for("tflite")
    quantised = tflite.quantise(tflite.emit(graph, options), graph, options, ranges)
    write_files(path, quantised.files)
    assert open_session(path).remarks.get("delegate_partitions") == 1


def test_a_sigmoid_has_all_of_its_256_steps(tmp_path: Path) -> None:
    """And what is multiplied by it stays int8, in both formats."""
    asked: dict[str, Any] = {"network": "shufflenet-v1-se", "scale": 0.25, "target": "x86-64"}
    onnx_, tflite = _export(tmp_path, precisions=("int8",), **asked)
    for artifact in (onnx_, tflite):
        quantisation = artifact.manifest.quantisation
        assert quantisation is not None
        assert quantisation.sqnr_db is not None
        assert quantisation.sqnr_db > 10
    (subgraph,) = schema.ModelT.InitFromPackedBuf(tflite.path.read_bytes()).subgraphs
    outputs = [tensor for tensor in subgraph.tensors if tensor.name.startswith(b"sigmoid")]
    assert len(outputs) == 16
    for tensor in outputs:
        assert tensor.type == schema.TensorType.INT8
        assert (list(tensor.quantization.scale), list(tensor.quantization.zeroPoint)) == (
            [1 / 256],
            [-128],
        )
    nodes = onnx.load(onnx_.path).graph.node
    quantised = {name for n in nodes if n.op_type == "DequantizeLinear" for name in n.output}
    for node in nodes:
        if node.op_type in ("Sigmoid", "Mul", "GlobalAveragePool"):
            assert quantised.issuperset(node.input)


def test_a_layer_that_no_image_activates_does_not_keep_tflite_from_int8(tmp_path: Path) -> None:
    building = Building((4, 8, 8), np.random.default_rng(0))
    source = building.convolution(4, activation=Relu())
    building.add(GlobalMean(keeps_map=True))
    weight = np.full((1, 4, 1, 1), -1.0)
    building.add(Convolution(weight, np.array([-1.0]), activation=Relu()))
    building.convolution(4)
    building.add(ChannelScale(), source, building.add(Sigmoid()))
    graph = classified(building.graph())
    inputs = [seeded_images(1, (8, 8), seed)[..., [0, 1, 2, 0]] for seed in (0, 1)]
    float_ = to_tflite.emit(graph, to_quantise=True)
    ranges = _ranges(graph, inputs)
    ranges["logits"] = ranges[graph.output]
    path = tmp_path / "dead.tflite"
    path.write_bytes(quantise_tflite(float_, graph, ranges, "float32"))
    session = open_session(path)
    assert session.remarks.get("delegate_partitions") == 1
    wanted = interpret(graph, inputs[0].transpose(0, 3, 1, 2))
    assert sqnr_db(wanted.astype(np.float32), session.run(inputs[0])) > 20


_DILATED = Convolution(
    np.random.default_rng(1).normal(size=(8, 1, 3, 3)),
    np.zeros(8),
    padding=(2, 2),
    groups=8,
    dilation=(2, 2),
)


@pytest.mark.parametrize(
    ("operator", "partitions"),
    [
        (Relu(6.0), 1),
        (LeakyRelu(np.full(8, 0.1)), 1),
        (LeakyRelu(np.linspace(0, 0.7, 8)), 1),
        (Elu(), 1),
        (Gelu(), 2),  # XNNPACK has none in 8 bits
        (Gelu(by_tanh=True), 2),
        (Tanh(), 1),
        (Slice(2, 7), 1),
        (_DILATED, 1),
        (Affine(np.linspace(0.01, 2, 8), np.linspace(-1, 1, 8)), 1),
        (Multiply(), 1),
    ],
    ids=str,
)
def test_operators_of_other_networks_in_8_bits(
    operator: Operator, partitions: int, tmp_path: Path
) -> None:
    building = Building((4, 8, 8), np.random.default_rng(0))
    first = building.convolution(8, 3, activation=Relu())
    last = building.convolution(8)
    if isinstance(operator, Multiply):
        building.add(operator, building.add(Sigmoid()), first)
    else:
        building.add(operator, last)
    building.convolution(8, 3)
    graph = classified(building.graph())
    images = np.concatenate([seeded_images(1, (8, 8), seed)[..., [0, 1, 2, 0]] for seed in (0, 1)])
    wanted = interpret(graph, images.transpose(0, 3, 1, 2)).astype(np.float32)
    ranges = _ranges(graph, [images])
    ranges["logits"] = ranges[graph.output]
    tflite, onnx_ = tmp_path / "small.tflite", tmp_path / "small.onnx"
    float_ = to_tflite.emit(graph, to_quantise=True)
    tflite.write_bytes(quantise_tflite(float_, graph, ranges, "float32"))
    session = open_session(tflite)
    assert session.remarks.get("delegate_partitions") == partitions
    assert sqnr_db(wanted, session.run(images)) > 25
    onnx.save(quantise_onnx(to_onnx.emit(graph), ranges, "arm64"), onnx_)
    answer = open_session(onnx_).run(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    assert sqnr_db(wanted, answer) > 25


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_int8_of_every_group_count(groups: int, tmp_path: Path) -> None:
    for artifact in _export(tmp_path, groups=groups, scale=0.25, precisions=("int8",)):
        quantisation = artifact.manifest.quantisation
        assert quantisation is not None
        assert quantisation.sqnr_db is not None
        assert quantisation.sqnr_db > 10
        assert artifact.manifest.remarks.get("delegate_partitions") in (1, None)


def test_the_manifest_tells_how_int8_was_made(made: Any) -> None:
    onnx_, tflite = (made[format_, "int8", "float32"].manifest for format_ in ("onnx", "tflite"))
    assert "S8S8" in onnx_.quantisation.scheme
    assert onnx_.quantisation.sqnr_db > 15
    assert tflite.quantisation.sqnr_db > 15
    assert onnx_.calibration.source == tflite.calibration.source == "noise"
    assert made["onnx", "fp32", "float32"].manifest.calibration is None
    names = {rewrite.name for rewrite in onnx_.rewrites}
    assert {"pad_bottleneck_to_8", "average_pool_as_depthwise"} <= names


def test_x86_gets_unsigned_activations_and_wider_bottlenecks(tmp_path: Path) -> None:
    (artifact,) = _export(tmp_path, precisions=("int8",), formats=("onnx",), target="x86-64")
    manifest = artifact.manifest
    assert manifest.quantisation is not None
    assert "U8S8" in manifest.quantisation.scheme
    assert manifest.file_name.endswith("-int8-x86-64.onnx")
    assert "pad_bottleneck_to_16" in {rewrite.name for rewrite in manifest.rewrites}


def test_plain_int8_has_only_what_makes_it_comparable(tmp_path: Path) -> None:
    onnx_, tflite = _export(tmp_path, precisions=("int8",), lowering="plain")
    assert onnx_.manifest.rewrites == ()
    assert [r.name for r in tflite.manifest.rewrites] == ["max_pool_of_non_negative"]


def test_a_stem_without_relu_is_quantised_too(tmp_path: Path) -> None:
    """jaxony's: its max pooling reads negative numbers and cannot be padded with zeros."""
    network = ShuffleNetV1(3, 0.25, stem_relu=False)
    pixels = seeded_pixels(16, SIZE, 0)
    randomise(network, torch.from_numpy(to_layout(normalise(pixels, PREPROCESSING), "NCHW")))
    weights = tmp_path / "stem.pth"
    checkpoint.save(weights, network, labels=None, preprocessing=PREPROCESSING, input_size=SIZE)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    for artifact in _export(
        tmp_path / "out",
        scale=None,
        input_size=None,
        weights=str(weights),
        precisions=("fp32", "int8"),
        calibration=str(tmp_path),
    ):
        names = {rewrite.name for rewrite in artifact.manifest.rewrites}
        assert "max_pool_of_non_negative" not in names
        assert artifact.manifest.verification is not None
        assert artifact.manifest.verification.difference <= 1e-4


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("io", ["float32", "uint8", "int8"])
def test_inputs_are_of_the_type_that_was_asked_for(made: Any, precision: str, io: str) -> None:
    model = onnx.load(made["onnx", precision, io].path)
    kind = model.graph.input[0].type.tensor_type.elem_type
    assert kind == getattr(onnx.TensorProto, {"float32": "FLOAT"}.get(io, io.upper()))
    flatbuffer = schema.ModelT.InitFromPackedBuf(made["tflite", precision, io].path.read_bytes())
    (subgraph,) = flatbuffer.subgraphs
    assert subgraph.tensors[subgraph.inputs[0]].type == getattr(schema.TensorType, io.upper())


def test_int8_steps_of_the_input_are_pixels(made: Any) -> None:
    for io, zero in (("uint8", 0), ("int8", 0)):
        data = made["tflite", "int8", io].path.read_bytes()
        (subgraph,) = schema.ModelT.InitFromPackedBuf(data).subgraphs
        quantisation = subgraph.tensors[subgraph.inputs[0]].quantization
        np.testing.assert_allclose(quantisation.scale, [1.0], rtol=1e-6)
        assert list(quantisation.zeroPoint) == [zero]


def test_a_quantisation_that_failed_is_refused() -> None:
    logits = np.random.default_rng(0).normal(size=(8, 10)).astype(np.float32)
    pixels = seeded_pixels(8, SIZE, 0)
    wanted = Reference(Preprocessing(crop=SIZE), pixels, logits, 1.0)

    class Broken:
        engine = "test"
        engine_version = "0"
        remarks = NO_REMARKS
        inputs = ()

        def run(self, *inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return np.zeros_like(logits[:1])

    with pytest.raises(ExportError, match="have nothing of the network's"):
        judge(Broken(), pixels, wanted)
