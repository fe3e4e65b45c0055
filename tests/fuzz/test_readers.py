"""Files that come from anywhere, damaged: each is read, or refused by an error of ours."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from PIL import Image

from mutations import Changed, Damaged, changed, damaged, fuzzed
from shufflenet_deploy.bench.devices.boards import load_boards
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.weights import checkpoint
from shufflenet_deploy.runtime.__main__ import _read_spec
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.engines.arrays import read_array
from shufflenet_deploy.runtime.errors import ShufflenetDeployError
from shufflenet_deploy.runtime.external_data import external_data
from shufflenet_deploy.runtime.manifest import manifest_path
from shufflenet_deploy.runtime.preprocess import read_image
from shufflenet_deploy.runtime.worker.protocol import decode_answer

_CACHE: dict[str, Any] = {}
"""What is damaged, made once."""


@pytest.fixture(autouse=True, scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory, tiny_artifacts: Path) -> None:
    folder = tmp_path_factory.mktemp("originals")
    model = next(tiny_artifacts.glob("*.onnx"))
    _CACHE["model"] = model.name, model.read_bytes()
    _CACHE["manifest"] = json.loads(manifest_path(model).read_bytes())
    torch.save(ShuffleNetV1(groups=3, scale=0.25).state_dict(), folder / "weights.pth")
    _CACHE["weights"] = (folder / "weights.pth").read_bytes()
    pixels = np.arange(40 * 30 * 3, dtype=np.uint8).reshape(40, 30, 3)
    for kind in ("png", "jpeg", "tiff", "webp"):
        written = io.BytesIO()
        Image.fromarray(pixels).save(written, kind)
        _CACHE[kind] = written.getvalue()
    np.save(folder / "x.npy", np.zeros((1, 3, 4, 4), np.float32))
    _CACHE["array"] = (folder / "x.npy").read_bytes()


def refused() -> contextlib.AbstractContextManager[None]:
    """Lets an error of ours pass, and nothing else."""
    return contextlib.suppress(ShufflenetDeployError)


@fuzzed(60)
@given(changed(lambda: _CACHE["manifest"]))
def test_manifests(tmp_path: Path, manifest: Changed) -> None:
    name, data = _CACHE["model"]
    model = tmp_path / name
    model.write_bytes(data)
    manifest_path(model).write_bytes(manifest.encoded())
    with refused():
        artifact = Artifact.open(model)
        assert artifact.manifest.options.file_name


SPEC = {
    "artifacts": ["a.onnx", "b.tflite"],
    "engines": [None, "litert"],
    "rounds": 20,
    "seconds": 10.0,
    "threads": 1,
    "cores": [0, 1],
    "warm_up": {},
    "cool_down": {"temperature_c": 50.0, "canary_ns": None, "seconds": 10.0},
    "full_speed": {"pulse_ns": 5000},
    "inputs": [{"name": "x", "shape": [1, 3, 4, 4], "range": [0.0, 1.0]}],
}


@fuzzed(60)
@given(changed(lambda: SPEC))
def test_specs(tmp_path: Path, spec: Changed) -> None:
    (tmp_path / "spec.json").write_bytes(spec.encoded())
    with refused():
        _read_spec(str(tmp_path / "spec.json"))


@fuzzed(60)
@given(damaged(lambda: json.dumps({"version": 2, "models": [], "skipped": []}).encode()))
def test_answers_that_are_no_json(answer: Damaged) -> None:
    with refused():
        decode_answer(answer.data)


@fuzzed(40)
@given(damaged(lambda: _CACHE["weights"]))
def test_checkpoints(tmp_path: Path, weights: Damaged) -> None:
    (tmp_path / "weights.pth").write_bytes(weights.data)
    with refused():
        checkpoint.load(tmp_path / "weights.pth")


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "webp"])
def test_images(kind: str, tmp_path: Path) -> None:
    @fuzzed(25)
    @given(damaged(lambda: _CACHE[kind]))
    def read(image: Damaged) -> None:
        (tmp_path / f"image.{kind}").write_bytes(image.data)
        with refused():
            read_image(tmp_path / f"image.{kind}")

    read()


@fuzzed(40)
@given(damaged(lambda: _CACHE["array"]))
def test_arrays(tmp_path: Path, array: Damaged) -> None:
    (tmp_path / "x.npy").write_bytes(array.data)
    with refused():
        read_array(tmp_path / "x.npy", "float32")


@fuzzed(40)
@given(damaged(lambda: _CACHE["model"][1]))
def test_where_models_keep_their_weights(tmp_path: Path, model: Damaged) -> None:
    (tmp_path / "m.onnx").write_bytes(model.data)
    with refused():
        external_data(tmp_path / "m.onnx")


BOARDS = b"""
[kitchen]
kind = "ssh"
host = "10.0.0.7"
user = "pi"
port = 22
expected = ["Raspberry Pi 4"]
cores = [2, 3]
peaks = [{mhz = 1500, multiply_adds_per_cycle = 8}]

[phone]
kind = "adb"
host = "serial"
"""


@fuzzed(60)
@given(damaged(lambda: BOARDS))
def test_tables_of_boards(tmp_path: Path, boards: Damaged) -> None:
    (tmp_path / "devices.toml").write_bytes(boards.data)
    with refused():
        load_boards(tmp_path / "devices.toml")
