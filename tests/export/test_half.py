"""fp16: numbers that float16 cannot hold are named, and XNNPACK is told that it may use it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from generated_graphs import Building, classified
from shufflenet_deploy.export import making, pipeline
from shufflenet_deploy.export.calibration import HELD_OUT
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import Convolution
from shufflenet_deploy.export.half import require_half
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.verify import INPUTS
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.weights import checkpoint
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.manifest import Preprocessing

IMAGES = [np.ones((1, 3, 4, 4), np.float32)] * 2


def _building(weight: float = 1.0, bias: float = 0.0) -> Building:
    building = Building((3, 4, 4), np.random.default_rng(0))
    building.add(Convolution(np.full((2, 3, 1, 1), weight), np.full(2, bias)))
    return building


@pytest.mark.parametrize("number", [1000.0, -1000.0])
def test_what_float16_holds_passes(number: float) -> None:
    require_half(classified(_building(number).graph()), IMAGES)


@pytest.mark.parametrize(
    ("building", "kind"),
    [
        (_building(weight=70_000), "weight with normalisation folded in of convolution_0: 7e"),
        (_building(weight=-70_000), "weight with normalisation folded in of convolution_0: 7e"),
        (_building(bias=1e6), "bias with normalisation folded in of convolution_0: 1e"),
        (_building(weight=30_000), "activation of convolution_0: 9e"),
        (_building(weight=float("nan")), "weight with normalisation folded in of convolution_0"),
    ],
)
def test_what_it_does_not_is_named_by_its_layer(building: Building, kind: str) -> None:
    with pytest.raises(ExportError, match=r"fp16 cannot hold an? ") as caught:
        require_half(classified(building.graph()), IMAGES)
    assert kind in str(caught.value)
    assert "--precision fp32 or int8" in str(caught.value)


@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_an_export_says_so_and_leaves_nothing(format_: str, tmp_path: Path) -> None:
    network = ShuffleNetV1(3, 0.25)
    with torch.no_grad():
        next(network.parameters()).mul_(1e6)  # no warning of numpy's, which would be an error
    weights = tmp_path / "large.pth"
    checkpoint.save(
        weights,
        network,
        labels=None,
        preprocessing=Preprocessing(crop=(64, 64)),
        input_size=(64, 64),
    )
    out = tmp_path / "out"
    asked = Request(weights=str(weights), formats=(format_,), precisions=("fp16",), out=out)
    with pytest.raises(ExportError, match=r"fp16 cannot hold a weight .* of conv2d"):
        pipeline.export(asked, lambda line: None)
    assert not out.exists()


def test_values_on_the_calibrations_images_are_looked_at_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []

    def require(graph: Graph, images: Iterable[NDArray[Any]]) -> None:
        seen.extend(image.shape for image in images)

    monkeypatch.setattr(making, "require_half", require)
    asked = Request(
        scale=0.25, input_size=(64, 64), formats=("onnx",), precisions=("fp16",),
        calibration="digits", out=tmp_path,
    )  # fmt: skip
    pipeline.export(asked, lambda line: None)
    assert seen == [(1, 3, 64, 64)] * (INPUTS + HELD_OUT)


def test_only_fp16_allows_float16(tmp_path: Path) -> None:
    asked = Request(
        scale=0.25, input_size=(64, 64), formats=("tflite",), precisions=("fp32", "fp16"),
        out=tmp_path,
    )  # fmt: skip
    fp32, fp16 = pipeline.export(asked, lambda line: None)
    assert schema.ModelT.InitFromPackedBuf(fp32.path.read_bytes()).metadata is None
    model = schema.ModelT.InitFromPackedBuf(fp16.path.read_bytes())
    (entry,) = model.metadata
    assert entry.name == b"reduced_precision_support"
    assert bytes(model.buffers[entry.buffer].data) == b"fp16accfp16"


# Those whose sums in float16 differ from one order to another by more than onnxsim allows.
@pytest.mark.parametrize(
    ("network", "scale", "size"),
    [("shufflenet-v1-se", 0.25, 64), ("mobilenet-v1", 1.0, 32), ("shufflenet-v1", 0.25, 64)],
)
def test_rounding_fails_no_export(network: str, scale: float, size: int, tmp_path: Path) -> None:
    lines: list[str] = []
    asked = Request(
        network=network, scale=scale, input_size=(size, size), precisions=("fp16",), out=tmp_path
    )
    for artifact in pipeline.export(asked, lines.append):
        assert artifact.manifest.verification is not None
        assert artifact.manifest.verification.difference < 0.1
    saves = [line for line in lines if "saves space, not time" in line]
    assert len(saves) == 1
    assert sorted(tmp_path.glob("*before*")) == []
