"""A Raspberry Pi over SSH, end to end: the real command line, OpenSSH, Debian for ARM64, emulated.

What is not real is the processor, and what it tells of itself; so no time here means anything but
how long a user waits.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from arm_root import MODEL, ArmBoard, arm_board
from host_cache import shared_bundle, shared_folder
from shufflenet_deploy.bench.boards import Board
from shufflenet_deploy.bench.devices.reach import Reach
from shufflenet_deploy.bench.devices.remote import RemoteDevice
from shufflenet_deploy.bench.devices.ssh import open_ssh
from shufflenet_deploy.runtime.spec import Spec

pytestmark = pytest.mark.network

FIRST_SECONDS = 60.0
"""From the first contact to the first sample, with all that has to be copied."""
READY_SECONDS = 15.0
"""The same where everything is there."""
_ATTEMPTS = 2
"""The tests share two cores with each other: the best of so many counts."""
_LOOK_SECONDS = 0.2
_BOARDS = """\
[pi]
title = "Raspberry Pi 4"
kind = "ssh"
host = "board"
ssh_config = "{config}"
identity = ["Raspberry Pi 4"]

[other]
title = "Raspberry Pi 5"
kind = "ssh"
host = "board"
ssh_config = "{config}"
identity = ["Raspberry Pi 5"]
"""


@dataclass(frozen=True)
class Measured:
    """What the command did."""

    code: int
    stderr: str
    results: dict[str, Any]
    first_sample_seconds: float
    """As it would be on a machine that does nothing else."""


@dataclass(frozen=True)
class Bench:
    """The command, with a board in the user's own file."""

    board: ArmBoard
    folder: Path

    def measure(self, artifact: Path, *options: str, device: str = "pi") -> Measured:
        """Measure `artifact`, as briefly as can be."""
        out = self.folder / "results.json"
        out.unlink(missing_ok=True)
        command = [sys.executable, "-m", "shufflenet_deploy.bench", str(artifact)]
        command += ["--device", device, "--rounds", "2", "--processes", "1", "--out", str(out)]
        shares = [_share()]
        start = time.monotonic()
        with subprocess.Popen(
            [*command, *options],
            env={
                **os.environ,
                "XDG_CONFIG_HOME": str(self.folder),
                "XDG_CACHE_HOME": str(shared_folder()),
                "COLUMNS": "200",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            first = float("inf")
            while process.poll() is None:
                if first == float("inf") and _has_sample(out):
                    first = time.monotonic() - start
                    shares.append(_share())
                time.sleep(0.02)
            assert process.stderr is not None
            stderr = process.stderr.read()
        results = json.loads(out.read_text()) if out.exists() else {}
        return Measured(process.returncode, stderr, results, first * min(shares))


def _share() -> float:
    """Of a core, what a process gets beside all others here."""
    start, used = time.monotonic(), time.process_time()
    while time.process_time() - used < _LOOK_SECONDS:
        pass
    return min(1.0, _LOOK_SECONDS / (time.monotonic() - start))


def _has_sample(out: Path) -> bool:
    # The file is written after each worker, and first of all after one that has no model.
    return out.exists() and bool(json.loads(out.read_text())["models"][0]["probe"])


@pytest.fixture(scope="module", autouse=True)
def prepared() -> None:
    """What the host prepares once for all devices, so that no test has to wait for it."""
    shared_bundle("tflite")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """With a board that has Debian's Python, and as Debian has it no ensurepip."""
    folder = tmp_path_factory.mktemp("bench")
    with arm_board(tmp_path_factory.mktemp("a board")) as board:
        yield _with_boards(folder, board)


def _with_boards(folder: Path, board: ArmBoard) -> Bench:
    own = folder / "shufflenet-deploy"
    own.mkdir()
    (own / "devices.toml").write_text(_BOARDS.format(config=board.ssh_config))
    return Bench(board, folder)


@pytest.fixture(scope="module")
def artifact(tiny_artifacts: Path) -> Path:
    """A small network."""
    (path,) = tiny_artifacts.glob("*x0.25*.tflite")
    return path


def forget(board: ArmBoard) -> None:
    """Have the board as before the first contact."""
    shutil.rmtree(board.home / ".cache", ignore_errors=True)


def test_a_pi_is_measured_on_its_own_python(bench: Bench, artifact: Path) -> None:
    forget(bench.board)
    assert "No module" in bench.board.ssh("python3", "-c", "'import ensurepip'").stderr
    first = bench.measure(artifact)
    assert first.code == 0, first.stderr
    assert "board over ssh: venv, on its own Python 3.11" in first.stderr
    assert "copying numpy" in first.stderr
    assert first.first_sample_seconds < FIRST_SECONDS

    machine = first.results["environment"]
    assert (machine["board"], machine["architecture"]) == (MODEL, "aarch64")
    assert machine["processor"] == "Cortex-A72"
    assert machine["maximum_mhz"] == {str(core): 1500.0 for core in range(4)}
    (run,) = first.results["runs"]
    for state in run["states"]:
        assert state["temperatures_c"] == {"cpu-thermal": 48.212}
        assert state["governors"] == {str(core): "ondemand" for core in range(4)}
        assert state["throttled"] == 0
    assert first.results["ended"] == "done"

    # As another board, since that is one measurement less.
    again = [bench.measure(artifact, "--any-board", device="other")]
    assert again[0].code == 0, again[0].stderr
    assert "copying" not in again[0].stderr
    assert again[0].results["environment"]["board"] == MODEL
    while again[-1].first_sample_seconds >= READY_SECONDS and len(again) < _ATTEMPTS:
        again.append(bench.measure(artifact))
    assert again[-1].first_sample_seconds < READY_SECONDS


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of boards that get a bundle, which is the same for all."""
    return tmp_path_factory.mktemp("a board with a bundle")


def test_a_board_without_python_gets_a_bundle(
    artifact: Path, bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with arm_board(bundled, python=False) as board:
        assert board.ssh("python3", "--version").returncode != 0
        first = _with_boards(tmp_path, board).measure(artifact)
        assert first.code == 0, first.stderr
        assert "no venv for the device: it has no Python 3.11 to 3.13" in first.stderr
        assert "board over ssh: bundle, with a Python of its own" in first.stderr
        assert first.first_sample_seconds < FIRST_SECONDS
        (model,) = first.results["models"]
        assert model["probe"]["difference"] < 1e-4
        told: list[str] = []
        reached(board, told, monkeypatch).close()
    assert not [line for line in told if "copying" in line]


def test_another_board_than_asked_for_is_refused(bench: Bench, artifact: Path) -> None:
    refused = bench.measure(artifact, device="other")
    assert refused.code == 2
    assert refused.results == {}
    assert refused.stderr.splitlines()[-1].startswith(
        f"error: the device calls itself {MODEL!r}, which is no Raspberry Pi 5"
    )


_PYTHON_OF_32_BITS = """\
#!/bin/sh
case "$*" in
    *version_info*) ;;
    *) echo "this stands for a 32-bit Python" >&2; exit 1 ;;
esac
for line in python_version=3.11 python_bits=32 "libc=glibc 2.36" has_venv=1; do
    echo "$line"
done
"""
_UNAME_OF_32_BITS = """\
#!/bin/sh
case $1 in
    -m) echo armv8l ;;
    *) exec /usr/bin/uname "$@" ;;
esac
"""


def reached(
    board: ArmBoard, told: list[str], monkeypatch: pytest.MonkeyPatch, *formats: str
) -> RemoteDevice:
    """The board as a device of this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_folder()))
    reach = Reach(formats=formats or ("tflite",), tell=told.append)
    entry = Board(
        name="pi", title="a Pi", kind="ssh", host="board", ssh_config=str(board.ssh_config)
    )
    return open_ssh(entry, reach)


def test_a_32_bit_userland_on_a_64_bit_kernel_gets_a_bundle(
    bundled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = {"python3": _PYTHON_OF_32_BITS, "uname": _UNAME_OF_32_BITS}
    told: list[str] = []
    with arm_board(bundled, commands=commands) as board:
        device = reached(board, told, monkeypatch)
        try:
            environment = device.run(Spec(), lambda progress: None).environment
        finally:
            device.close()
    assert told[0] == "no venv for the device: its Python 3.11 is a 32-bit one"
    assert "board over ssh: bundle, with a Python of its own" in told
    assert (environment.architecture, environment.board) == ("aarch64", MODEL)


def test_a_home_folder_of_any_name_will_do(
    tiny_artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_bundle("onnx")
    home = "/home/pi/it's; a $HOME & (home)"
    own = tmp_path / "of the user's; own.onnx"
    (artifact,) = tiny_artifacts.glob("*x0.25*.onnx")
    own.write_bytes(artifact.read_bytes())
    with arm_board(tmp_path / "board", python=False, variables={"XDG_CACHE_HOME": home}) as board:
        device = reached(board, [], monkeypatch, "onnx")
        try:
            spec = Spec(artifacts=(device.put(own),), rounds=1)
            (model,) = device.run(spec, lambda progress: None).models
        finally:
            device.close()
    assert model.artifact.startswith(f"{home}/shufflenet-deploy/parts/")
    assert model.artifact.endswith(f"/{own.name}")
    assert (model.engine, len(model.bursts)) == ("onnxruntime", 1)
