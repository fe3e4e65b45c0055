"""Artifacts as a whole: what is written, what the manifest says, what a failure leaves."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from shufflenet_deploy.export import pipeline
from shufflenet_deploy.export.formats import EMITTERS, emitter_for
from shufflenet_deploy.export.formats.emitter import Emitted
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import FullyConnected
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.source import random_network
from shufflenet_deploy.models.networks import NETWORKS, Variant, variant
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import ExportError, ModelsError
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.manifest import Manifest
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.seeded import seeded_images, to_layout


def _request(out: Path, network: str = "shufflenet-v1", **changes: Any) -> Request:
    scale = None if network == "alexnet" else 0.25
    return Request(
        **{"network": network, "scale": scale, "input_size": (64, 64), "out": out, **changes}
    )


def _export(out: Path, network: str = "shufflenet-v1", **changes: Any) -> list[Manifest]:
    artifacts = pipeline.export(_request(out, network, **changes), lambda line: None)
    return [artifact.manifest for artifact in artifacts]


def test_every_format_has_an_emitter() -> None:
    assert list(EMITTERS) == list(FORMATS)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_is_one_delegate_partition(network: str, tmp_path: Path) -> None:
    (manifest,) = _export(tmp_path, network, formats=("tflite",))
    assert manifest.remarks.get("delegate_partitions") == 1


@pytest.mark.parametrize("groups", NETWORKS["shufflenet-v1"].groups)
def test_every_group_count_is_exported_and_verified(groups: int, tmp_path: Path) -> None:
    for manifest in _export(tmp_path, groups=groups):
        assert manifest.verification is not None
        assert manifest.verification.difference <= 1e-4
        assert manifest.remarks.get("delegate_partitions") in (1, None)


@pytest.mark.parametrize("groups", NETWORKS["shufflenet-v1-se"].groups)
def test_squeeze_and_excitation_of_every_group_count(groups: int, tmp_path: Path) -> None:
    for manifest in _export(tmp_path, "shufflenet-v1-se", groups=groups):
        assert manifest.verification is not None
        assert manifest.verification.difference <= 1e-4
        assert manifest.remarks.get("delegate_partitions") in (1, None)
        assert {r.name: r.places for r in manifest.rewrites}["squeeze_before_expansion"] == 16


def test_a_file_says_itself_that_it_has_squeeze_and_excitation(tmp_path: Path) -> None:
    chosen = variant("shufflenet-v1-se", 3, 0.25, (32, 32))
    path = tmp_path / "weights.pth"
    torch.save(random_network(chosen).state_dict(), path)
    asked: dict[str, Any] = {
        "scale": None,
        "input_size": (32, 32),
        "weights": str(path),
        "formats": ("onnx",),
    }
    artifacts = pipeline.export(Request(out=tmp_path / "out", **asked), lambda line: None)
    assert [a.manifest.options.network for a in artifacts] == ["shufflenet-v1-se"]
    with pytest.raises(ModelsError, match="where network shufflenet-v1 was asked for"):
        _export(tmp_path / "other", "shufflenet-v1", **asked)


@pytest.mark.parametrize("size", [(33, 64), (32, 32), (71, 129)])
def test_sizes_that_are_neither_square_nor_even(size: tuple[int, int], tmp_path: Path) -> None:
    for manifest in _export(tmp_path, input_size=size):
        assert manifest.verification is not None
        assert manifest.verification.difference <= 1e-4


def test_alexnet_at_a_size_that_it_has_to_pool(tmp_path: Path) -> None:
    (manifest,) = _export(tmp_path, "alexnet", input_size=(120, 160), formats=("tflite",))
    assert manifest.remarks.get("delegate_partitions") == 1
    assert manifest.verification is not None
    assert manifest.verification.difference <= 1e-4


def test_the_manifest_tells_what_was_made(tiny_artifacts: Path) -> None:
    path = tiny_artifacts / "shufflenet-v1-g3-x0.25-32x32-fp32.onnx"
    manifest = Artifact.open(path).manifest
    assert manifest.file_name == path.name
    assert manifest.size_bytes == path.stat().st_size
    assert manifest.input.shape == (-1, 3, 32, 32)
    assert manifest.input.layout == "NCHW"
    assert manifest.output.shape == (-1, 1000)
    assert manifest.weights.origin == "random"
    assert manifest.labels is None
    assert manifest.verification is not None
    assert manifest.verification.engine == "onnxruntime"
    assert manifest.simplification is not None
    assert manifest.simplification.nodes_after <= manifest.simplification.nodes_before
    assert {rewrite.name: rewrite.places for rewrite in manifest.rewrites} == {
        "absorb_shuffle": 1,
        "shuffle_after_depthwise": 15,
        "relu_before_concatenation": 3,
        "shuffle_as_gather": 15,
    }
    assert manifest.footprint is not None
    assert manifest.footprint.load_time_ms > 0
    assert (manifest.footprint.peak_memory_bytes or 0) > 10e6
    assert {"torch", "onnx", "onnxsim", "shufflenet-deploy"} <= manifest.tool_versions.keys()


@pytest.mark.parametrize(
    ("suffix", "own"),
    [
        (".onnx", {"onnx", "onnxsim", "onnxruntime"}),
        (".tflite", {"flatbuffers", "ai-edge-quantizer"}),
    ],
)
def test_a_manifest_holds_the_versions_of_what_made_its_format(
    tiny_artifacts: Path, suffix: str, own: set[str]
) -> None:
    path = tiny_artifacts / f"shufflenet-v1-g3-x0.25-32x32-fp32{suffix}"
    tools = Artifact.open(path).manifest.tool_versions.keys()
    assert tools == {"python", "shufflenet-deploy", "torch", "numpy"} | own


def test_only_artifacts_and_manifests_are_left(tiny_artifacts: Path) -> None:
    names = sorted(path.name for path in tiny_artifacts.iterdir())
    assert names == sorted(
        f"shufflenet-v1-g3-x{scale}-32x32-fp32.{suffix}"
        for scale in (0.25, 0.5)
        for suffix in ("onnx", "tflite", "onnx.json", "tflite.json")
    )


def test_plain_lowering_has_no_rewrites_and_its_own_name(tmp_path: Path) -> None:
    onnx_, tflite = _export(tmp_path, lowering="plain")
    assert onnx_.rewrites == tflite.rewrites == ()
    assert onnx_.file_name == "shufflenet-v1-g3-x0.25-64x64-fp32-plain.onnx"


def test_rounded_widths_are_recorded(tmp_path: Path) -> None:
    (manifest,) = _export(tmp_path, groups=8, formats=("tflite",))
    assert manifest.rounded_widths == {"stem": (12, 16)}


def test_the_same_request_makes_the_same_bytes(tmp_path: Path) -> None:
    first, second = (_export(tmp_path / name) for name in ("a", "b"))
    assert [m.sha256 for m in first] == [m.sha256 for m in second]


def test_weights_do_not_depend_on_the_input_size(tmp_path: Path) -> None:
    (small,) = _export(tmp_path, formats=("onnx",), input_size=(32, 32))
    (large,) = _export(tmp_path, formats=("onnx",), input_size=(64, 64))
    assert small.weights == large.weights


def test_a_failed_verification_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = emitter_for("tflite")

    def emit_with_another_bias(graph: Graph, options: Options) -> Emitted:
        last = graph.nodes[-1]
        assert isinstance(last.operator, FullyConnected)
        shifted = dataclasses.replace(last.operator, bias=last.operator.bias + 1)
        node = dataclasses.replace(last, operator=shifted)
        return right.emit(graph.with_nodes({last.name: node}), options)

    broken = dataclasses.replace(right, emit=emit_with_another_bias)
    monkeypatch.setitem(EMITTERS, "tflite", lambda: broken)
    out = tmp_path / "artifacts"
    with pytest.raises(ExportError, match="verification failed"):
        _export(out, formats=("tflite",))
    assert not out.exists()


def test_our_onnx_agrees_with_pytorchs_own_export(tmp_path: Path) -> None:
    chosen = variant("shufflenet-v1", 3, 0.5)
    (ours,) = pipeline.export(
        _request(tmp_path, scale=0.5, input_size=(224, 224), formats=("onnx",)), lambda line: None
    )
    theirs = tmp_path / "theirs.onnx"
    _torch_onnx_export(chosen, theirs)
    images = to_layout(seeded_images(1, (224, 224), 77), "NCHW")
    answers = []
    for path in (ours.path, theirs):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        answers.append(session.run(None, {session.get_inputs()[0].name: images})[0])
    deviation = ours.manifest.self_check.deviation
    assert np.abs(answers[0] - answers[1]).max() / deviation < 1e-4
    # Ours is no larger a graph than theirs.
    assert len(onnx.load(ours.path).graph.node) <= len(onnx.load(theirs).graph.node)


def _torch_onnx_export(chosen: Variant, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about torchvision and the like
        torch.onnx.export(
            random_network(chosen),
            (torch.zeros(1, 3, 224, 224),),
            str(path),
            external_data=False,
            verbose=False,
        )
