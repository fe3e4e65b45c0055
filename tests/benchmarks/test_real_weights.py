"""int8 of published weights, calibrated on photographs, against PyTorch on others."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shufflenet_deploy.export import pipeline
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.verify import OneByOne
from shufflenet_deploy.models.weights import checkpoint
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.decibels import sqnr_db
from shufflenet_deploy.runtime.engines import open_session
from shufflenet_deploy.runtime.images.datasets import open_dataset
from shufflenet_deploy.runtime.manifest import Preprocessing
from shufflenet_deploy.runtime.preprocess import Pixels, fit, normalise
from shufflenet_deploy.runtime.seeded import to_layout

WEIGHTS = Path(__file__).parents[2].parent / "shared/weights"
DIGITS = Path(__file__).parents[1] / "data" / "digits-shufflenet-v1-g3-x0.25.pth"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not WEIGHTS.is_dir():
        pytest.skip(f"{WEIGHTS} with trained weights and photographs is not here")
    folder = tmp_path_factory.mktemp("photographs")
    with zipfile.ZipFile(WEIGHTS / "clothing-64.zip") as packed:
        packed.extractall(folder)
    return folder


def _pixels(source: str, given: Preprocessing) -> Pixels:
    examples = open_dataset(source, "test").examples
    return np.stack([fit(example.read(), given) for example in examples])


def _logits(artifact: Artifact, pixels: Pixels) -> NDArray[np.float32]:
    layout = artifact.manifest.input.layout
    session = OneByOne(open_session(artifact.path))
    parts = np.array_split(pixels, max(1, len(pixels) // 32))
    given = (to_layout(normalise(part, artifact.manifest.preprocessing), layout) for part in parts)
    return np.concatenate([session.run(images) for images in given])


def test_digits_calibrated_on_clothes_are_still_digits(photographs: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    request = Request(
        weights=str(DIGITS), precisions=("int8",), calibration=str(photographs), out=tmp_path
    )
    artifacts = pipeline.export(request, lines.append)
    # It goes well, and is told all the same that it need not.
    assert any("unlike those of the training" in line for line in lines)
    pixels = _pixels("digits", artifacts[0].manifest.preprocessing)
    labels = np.array([example.label for example in open_dataset("digits", "test").examples])
    for artifact in artifacts:
        right = (_logits(artifact, pixels).argmax(axis=1) == labels).mean()
        assert right >= 536 / 540 - 0.01  # fp32's


@pytest.mark.slow
@pytest.mark.parametrize("name", ["megvii-g3-0.5x.pth.tar", "megvii-g8-0.5x.pth.tar"])
def test_published_weights_keep_their_answers(name: str, photographs: Path, tmp_path: Path) -> None:
    """Photographs far from ImageNet, on which margins are small: agreement says the more."""
    request = Request(
        weights=str(WEIGHTS / name),
        precisions=("int8",),
        calibration=str(photographs / "train"),
        samples=200,
        out=tmp_path,
    )
    artifacts = pipeline.export(request, lambda line: None)
    given = artifacts[0].manifest.preprocessing
    pixels = _pixels(str(photographs), given)
    network = checkpoint.load(WEIGHTS / name).network
    with torch.inference_mode():
        exact = np.concatenate(
            [
                network(torch.from_numpy(to_layout(normalise(part, given), "NCHW"))).numpy()
                for part in np.array_split(pixels, 24)
            ]
        )
    for artifact in artifacts:
        logits = _logits(artifact, pixels)
        agreement = (logits.argmax(axis=1) == exact.argmax(axis=1)).mean()
        assert agreement >= 0.8
        assert sqnr_db(exact, logits) >= 14
