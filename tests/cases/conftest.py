"""What the cases take: a small artifact of each format, and a folder with the commands in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cases import Bench
from shufflenet_deploy.runtime.manifest import manifest_path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A user's folder with the real commands."""
    return Bench.in_folder(tmp_path)


@pytest.fixture(scope="session")
def small_onnx(tiny_artifacts: Path) -> Path:
    """ShuffleNet 0.25x for 32x32 images. Not to be altered."""
    return tiny_artifacts / "shufflenet-v1-g3-x0.25-32x32-fp32.onnx"


@pytest.fixture
def own_onnx(small_onnx: Path, tmp_path: Path) -> Path:
    """A copy of it with its manifest that a case may break."""
    folder = tmp_path / "art"
    folder.mkdir()
    shutil.copy(manifest_path(small_onnx), folder)
    return Path(shutil.copy(small_onnx, folder))
