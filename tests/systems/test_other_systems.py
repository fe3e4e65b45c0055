"""The commands where the operating system lacks what Linux has.

Without a macOS or a Windows here it is Linux with as much taken away, in every process. What it
shows is that nothing reaches for what is not there; not that it works on those.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MACOS = """\
import os
for name in ("sched_getaffinity", "sched_setaffinity", "memfd_create"):
    delattr(os, name)
"""
WINDOWS = (
    MACOS
    + """\
import select, selectors, signal, socket, subprocess, sys
sys.modules["fcntl"] = sys.modules["pwd"] = sys.modules["resource"] = None
for name in ("killpg", "geteuid", "getpgid", "setsid", "getloadavg"):
    delattr(os, name)
del signal.SIGHUP, select.poll, socket.AF_UNIX
"""
)
SYSTEMS = pytest.mark.parametrize("taken", [MACOS, WINDOWS], ids=["macOS", "Windows"])


def _run(module: str, *words: object, taken: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    (cwd / "taken").mkdir(exist_ok=True)
    # Python runs a file of this name in each process before anything else.
    (cwd / "taken/sitecustomize.py").write_text(taken)
    paths = (str(cwd / "taken"), os.environ.get("PYTHONPATH", ""))
    return subprocess.run(
        [sys.executable, "-m", f"shufflenet_deploy.{module}", *map(str, words)],
        cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )  # fmt: skip


@SYSTEMS
def test_a_network_is_exported_evaluated_and_used(taken: str, tmp_path: Path) -> None:
    digits = ROOT / "tests/data/digits-shufflenet-v1-g3-x0.25.pth"
    words = ("--weights", digits, "--precision", "int8", "--calibration", "digits", "--json")
    done = _run("export", *words, "--samples", "32", taken=taken, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    paths = [Path(row["path"]) for row in json.loads(done.stdout)["artifacts"]]
    assert [path.suffix for path in paths] == [".onnx", ".tflite"]
    evaluate = ("bench.commands.evaluate", "--data", "digits", "--json")
    done = _run(*evaluate, *paths, taken=taken, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert all(row["top1"]["images"] > 500 for row in results["artifacts"])


@SYSTEMS
def test_this_machine_is_not_measured_in_one_line(
    taken: str, tmp_path: Path, tiny_artifacts: Path
) -> None:
    path = next(tiny_artifacts.glob("*.tflite"))
    done = _run("bench", path, taken=taken, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "error: Linux binds no process to cores, so this machine is not measured: "
        "name a board by --device"
    )
    assert not (tmp_path / "results.json").exists()


@SYSTEMS
def test_a_report_is_made(taken: str, tmp_path: Path) -> None:
    results = ROOT / "tests/data/results-version-2.json"
    done = _run("bench.commands.report", results, "--out", "r.html", taken=taken, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "r.html").stat().st_size > 10_000
