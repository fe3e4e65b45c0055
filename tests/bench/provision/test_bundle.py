"""The real bundle, run by an emulated ARM64 processor where there is nothing else at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import binfmt
from host_cache import shared_bundle, use_shared_cache
from shufflenet_deploy.bench.provision import Part
from shufflenet_deploy.bench.provision.bundle import launch_command, unpacked
from shufflenet_deploy.bench.provision.wheels import Platform

pytestmark = pytest.mark.network

_MEGABYTE = 1e6
LARGEST_TGZ = 34 * _MEGABYTE
# The cpuinfo library in both engines fails on the description of another kind of processor.
_CPUINFO = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd08\n"
_PROGRAM = """
import hashlib, importlib.metadata, json, platform, sys
import numpy
import onnxruntime
from ai_edge_litert.interpreter import Interpreter
import shufflenet_deploy.runtime.agent.agent
names = ("numpy", "msgspec", "onnxruntime", "ai-edge-litert", "shufflenet-deploy")
print(json.dumps({
    "machine": platform.machine(),
    "product": float((numpy.eye(3) @ numpy.ones((3, 3))).sum()),
    "sha256": hashlib.sha256(b"").hexdigest()[:8],
    "providers": onnxruntime.get_available_providers(),
    "versions": {name: importlib.metadata.version(name) for name in names},
    "modules": sorted({getattr(one, "__file__", None) or "" for one in sys.modules.values()}),
}))
"""


@pytest.fixture(scope="module")
def parts() -> tuple[Part, ...]:
    """With both engines."""
    return shared_bundle("onnxruntime", "litert")


@pytest.fixture
def empty_root(
    parts: tuple[Part, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[str], dict[str, str]]:
    """A root in which there is the bundle and nothing else; its Python's command and variables."""
    if reason := binfmt.missing():
        pytest.skip(reason)
    use_shared_cache(monkeypatch)
    root = tmp_path / "root"
    for index, part in enumerate(parts):
        subprocess.run(["cp", "-r", unpacked(part), _made(root / "parts" / str(index))], check=True)
    _made(root / "proc" / "cpuinfo").write_text(_CPUINFO)
    folders = [Path("/parts") / str(index) for index in range(len(parts))]
    command, variables = launch_command(folders[0], folders[1:])
    return root, command, variables


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_it_runs_where_nothing_else_is(
    empty_root: tuple[Path, list[str], dict[str, str]],
) -> None:
    root, command, variables = empty_root
    done = subprocess.run(
        binfmt.command("chroot", root, *command, "-c", _PROGRAM),
        env={"PATH": "/usr/sbin:/usr/bin", **variables, "QEMU_CPU": "cortex-a72"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["machine"], said["product"], said["sha256"]) == ("aarch64", 9.0, "e3b0c442")
    assert "CPUExecutionProvider" in said["providers"]
    from importlib.metadata import version

    assert said["versions"] == {name: version(name) for name in said["versions"]}
    assert all(name.startswith("/parts/") for name in said["modules"] if name.startswith("/"))


def test_its_script_starts_it_from_a_folder_of_any_name(
    parts: tuple[Part, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := binfmt.missing():
        pytest.skip(reason)
    use_shared_cache(monkeypatch)
    base = tmp_path / 'it\'s; a "base"'
    subprocess.run(["cp", "-r", unpacked(parts[0]), base], check=True)
    program = "import ctypes, os, sys; print(sys.prefix, os.environ['SHUFFLENET_DEPLOY_LAUNCH'])"
    done = subprocess.run(
        binfmt.command("sh", base / "launch", "-c", program),
        env={"PATH": "/usr/sbin:/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == f"{base} {base}/launch\n"


@pytest.mark.parametrize("engine", ["onnxruntime", "litert"])
def test_with_one_engine_it_is_small(engine: str) -> None:
    size = sum(part.archive.stat().st_size for part in shared_bundle(engine))
    assert size <= LARGEST_TGZ


def test_what_a_pi_installs_brings_no_torch(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    from importlib.metadata import requires

    requirements = map(Requirement, requires("shufflenet-deploy") or ())
    wanted = [str(one) for one in requirements if not one.marker or "extra" not in str(one.marker)]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed"]
    command += ["--target", str(tmp_path / "target"), "--only-binary=:all:"]
    command += ["--report", str(report), "--implementation", "cp", "--python-version", "3.11"]
    for abi in ("cp311", "abi3", "none"):
        command += ["--abi", abi]
    for tag in Platform((3, 11), "aarch64", (2, 36)).tags:
        command += ["--platform", tag]
    done = subprocess.run(
        [*command, *wanted],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    if done.returncode:
        pytest.skip(f"pip: {done.stderr.strip()[-300:]}")
    names = {one["metadata"]["name"] for one in json.loads(report.read_text())["install"]}
    assert {"numpy", "msgspec", "onnxruntime", "ai-edge-litert"} <= names
    assert not {name for name in names if name.startswith(("torch", "nvidia", "onnx-", "triton"))}
    assert "onnx" not in names
