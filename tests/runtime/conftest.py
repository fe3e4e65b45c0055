"""What the tests of the runtime share: artifacts to break, and workers as real processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shufflenet_deploy.runtime.manifest import manifest_path
from waiting import HANG_SECONDS


@pytest.fixture(scope="session", params=["onnx", "tflite"])
def artifact(request: pytest.FixtureRequest, tiny_artifacts: Path) -> Path:
    """ShuffleNet 0.25x, once in each format. Not to be altered."""
    return tiny_artifacts / f"shufflenet-v1-g3-x0.25-32x32-fp32.{request.param}"


@pytest.fixture
def copied(artifact: Path, tmp_path: Path) -> Path:
    """A copy of `artifact`, with its manifest, that a test may break."""
    shutil.copy(manifest_path(artifact), tmp_path)
    return Path(shutil.copy(artifact, tmp_path))


@pytest.fixture(scope="session")
def work() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the worker as a process of its own: arguments, and what to give it on stdin."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        worker = subprocess.run(
            [sys.executable, "-m", "shufflenet_deploy.runtime", *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=HANG_SECONDS,
        )
        return subprocess.CompletedProcess(
            worker.args, worker.returncode, worker.stdout.decode(), worker.stderr.decode()
        )

    return run
