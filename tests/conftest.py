"""Fixtures and rules for all tests."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest
import torch

from shufflenet_deploy.export.pipeline import export
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.runtime.agent.lock import LOCKS

# Seeded, so that a run says the same twice. Nothing fails for being slow: torch.export makes a
# first example so, and a machine that has other work to do any of them.
hypothesis.settings.register_profile(
    "project",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("project")

# A shell that starts a command in the background has SIGINT ignored, and nohup SIGHUP; children
# inherit that, and the tests of Ctrl-C and of a terminal that closes would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# For what runs before a test: see own_machine.
os.environ[LOCKS] = tempfile.mkdtemp(prefix="locks-")
atexit.register(shutil.rmtree, os.environ[LOCKS], ignore_errors=True)
_NUMBERS = itertools.count()

# pytest-xdist uses the cores. In the processes that tests start, PyTorch's threads wait for each
# other without keeping a core busy: beside other work an export took four times as long so.
torch.set_num_threads(1)
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where CI is set nothing may be skipped: what a test needs, CI has to install."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def own_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock that keeps a machine's users apart is each test's own: tests run side by side."""
    folder = tmp_path_factory.getbasetemp() / "locks" / str(next(_NUMBERS))
    monkeypatch.setenv(LOCKS, str(folder))


@pytest.fixture(scope="session")
def tiny_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ShuffleNets 0.25x and 0.5x, g=3, for 32x32 images, as ONNX and TFLite."""
    out = tmp_path_factory.mktemp("artifacts")
    for scale in (0.25, 0.5):
        export(
            Request(groups=3, scale=scale, input_size=(32, 32), out=out),
            report=lambda line: None,
        )
    return out


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out],
        cwd=Path(__file__).parents[1],
        check=True,
        capture_output=True,
    )
    (built,) = out.iterdir()
    return built
