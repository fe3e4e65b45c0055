"""The wheel on the Pythons of other systems: Raspberry Pi OS's of today, and the newest.

Without PyTorch, whose builds for them bring gigabytes: `make release-check PYTHONS=...` has it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from debian_python import RELEASES, debian_python, install
from host_cache import use_shared_cache
from shufflenet_deploy.export.pipeline import export
from shufflenet_deploy.export.request import Request
from waiting import HANG_SECONDS

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "tests/data/digits-shufflenet-v1-g3-x0.25.pth"

pytestmark = pytest.mark.network
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(
    scope="module",
    params=[pytest.param(version, marks=pytest.mark.slow) if at else version
            for at, version in enumerate(RELEASES)],
)  # fmt: skip
def installed(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A version of Python, and the folder of commands where the wheel is installed with it."""
    version: str = request.param
    folder = tmp_path_factory.mktemp(f"python{version}")
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_shared_cache(monkeypatch)
        python = debian_python(version)
    subprocess.run([python, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    constraints = ("--constraint", ROOT / "constraints.txt")
    named = f"shufflenet-deploy[images,report] @ {wheel.as_uri()}"
    install(folder / "venv", *constraints, named, "scikit-learn")
    return version, folder / "venv/bin"


@pytest.fixture
def run(installed: tuple[str, Path], tmp_path: Path) -> Run:
    _, commands = installed

    def run(command: str, *words: object) -> subprocess.CompletedProcess[str]:
        variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        done = subprocess.run(
            [str(commands / command), *map(str, words)],
            cwd=tmp_path, capture_output=True, text=True,
            timeout=HANG_SECONDS, check=False, env={**variables, "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    out = tmp_path_factory.mktemp("exported")
    asked = Request(
        weights=str(WEIGHTS), calibration="digits", samples=64, precisions=("int8",), out=out
    )
    return [artifact.path for artifact in export(asked, lambda line: None)]


def test_a_trained_network_is_measured_reported_and_used(
    installed: tuple[str, Path], run: Run, artifacts: list[Path], tmp_path: Path
) -> None:
    few = ("--processes", "2", "--rounds", "2", "--data", "digits")
    said = run("shufflenet-bench", *artifacts, *few).stdout
    assert "side by side" in said
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["environment"]["python_version"].startswith(installed[0])
    assert {model["probe"]["engine"] for model in results["models"]} == {"onnxruntime", "litert"}
    assert all(model["accuracy"]["right"] > 520 for model in results["models"])
    run("shufflenet-report", "results.json", "--out", "report.html")
    assert (tmp_path / "report.html").stat().st_size > 10_000
    run("shufflenet-bench", "compare", "results.json", "results.json", "--fail-above", "5%")
    image = np.uint8(load_digits().images[3] * 255 / 16)
    Image.fromarray(image).save(tmp_path / "three.png")
    for path in artifacts:
        first = run("shufflenet-classify", path, "three.png").stdout.split()
        assert first[2] == "3"  # the file, its share, its class
