"""A Raspberry Pi over SSH, end to end: the real command line, OpenSSH, Debian for ARM64, emulated.

What is not real is the processor, and what it tells of itself; so no time here means anything. How
long a user waits is told by how often the board is asked, and by what is copied to it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from arm_root import MODEL, ArmBoard, arm_board
from bench_command import BenchCommand, Outcome
from host_cache import shared_bundle, shared_folder
from shufflenet_deploy.bench.devices.board import Board
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.bench.devices.remote import RemoteDevice
from shufflenet_deploy.bench.devices.ssh import open_ssh
from shufflenet_deploy.runtime.images.stages import STAGES
from shufflenet_deploy.runtime.worker.spec import Spec

pytestmark = pytest.mark.network

ASKED = 2
"""How often a board is asked that has all it needs: what it is and has, and to start the agent."""
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


@pytest.fixture(scope="module", autouse=True)
def prepared() -> None:
    """What the host prepares once for all devices, so that no test has to wait for it."""
    shared_bundle("litert")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmBoard]:
    """With Debian's Python, and as Debian has it no ensurepip."""
    with arm_board(tmp_path_factory.mktemp("a board")) as board:
        yield board


@pytest.fixture
def bench(board: ArmBoard, tmp_path: Path) -> BenchCommand:
    return _with_boards(tmp_path, board)


def _with_boards(folder: Path, board: ArmBoard) -> BenchCommand:
    return BenchCommand.with_boards(folder, _BOARDS.format(config=board.ssh_config), {})


@pytest.fixture(scope="module")
def artifact(tiny_artifacts: Path) -> Path:
    """A small network."""
    (path,) = tiny_artifacts.glob("*x0.25*.tflite")
    return path


def copied(outcome: Outcome) -> int:
    """How many parts and models were: each takes a command of its own."""
    return outcome.stderr.count("copying ") + len(outcome.results["models"])


def forget(board: ArmBoard) -> None:
    """Have the board as before the first contact."""
    shutil.rmtree(board.home / ".cache", ignore_errors=True)


def test_a_pi_is_measured_on_its_own_python(
    bench: BenchCommand, board: ArmBoard, artifact: Path
) -> None:
    forget(board)
    assert "No module" in board.ssh("python3", "-c", "'import ensurepip'").stderr
    before = board.commands_run
    first = bench.measure("pi", [artifact])
    assert first.code == 0, first.stderr
    assert "board over ssh: venv, on its own Python 3.11" in first.stderr
    assert "copying numpy" in first.stderr
    assert board.commands_run - before == ASKED + copied(first)

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
    before = board.commands_run
    again = bench.measure("other", [artifact], "--any-board")
    assert again.code == 0, again.stderr
    assert "copying" not in again.stderr
    assert again.results["environment"]["board"] == MODEL
    assert board.commands_run - before == ASKED


@pytest.mark.slow
def test_what_a_board_keeps_up_and_the_way_to_a_label_are_measured_there(
    bench: BenchCommand, board: ArmBoard, artifact: Path, tmp_path: Path
) -> None:
    loaded = bench.run(artifact, "--device", "pi", "--sustained", "0.2")
    assert loaded.code == 0, loaded.stderr
    assert MODEL in loaded.stdout
    windows = json.loads((tmp_path / "sustained.json").read_text())["windows"]
    assert {window["state"]["temperatures_c"]["cpu-thermal"] for window in windows} == {48.212}
    Image.effect_noise((320, 240), 80).convert("RGB").save(tmp_path / "photo.jpg")
    labelled = bench.run(artifact, "--device", "pi", "--end-to-end", "photo.jpg")
    assert labelled.code == 0, labelled.stderr
    assert "copying pillow" in labelled.stderr
    (model,) = json.loads((tmp_path / "end-to-end.json").read_text())["models"]
    assert [list(process["stages_ns"]) for process in model["processes"]] == 5 * [[*STAGES]]


@pytest.mark.slow
def test_a_board_of_the_next_debian_is_measured_on_its_python_3_13(
    artifact: Path, tmp_path: Path
) -> None:
    with arm_board(tmp_path / "board", release="trixie") as trixie:
        measured = _with_boards(tmp_path, trixie).measure("pi", [artifact])
    assert measured.code == 0, measured.stderr
    assert "board over ssh: venv, on its own Python 3.13" in measured.stderr
    assert measured.results["environment"]["python_version"].startswith("3.13")
    assert measured.results["ended"] == "done"


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of boards that get a bundle, which is the same for all."""
    return tmp_path_factory.mktemp("a board with a bundle")


def test_a_board_without_python_gets_a_bundle(
    artifact: Path, bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with arm_board(bundled, python=False) as board:
        assert board.ssh("python3", "--version").returncode != 0
        before = board.commands_run
        first = _with_boards(tmp_path, board).measure("pi", [artifact])
        assert first.code == 0, first.stderr
        assert "no venv for the device: it has no Python 3.11 to 3.14" in first.stderr
        assert "board over ssh: bundle, with a Python of its own" in first.stderr
        assert board.commands_run - before == ASKED + copied(first)
        (model,) = first.results["models"]
        assert model["probe"]["difference"] < 1e-4
        told: list[str] = []
        reached(board, told, monkeypatch).close()
    assert not [line for line in told if "copying" in line]


def test_another_board_than_asked_for_is_refused(bench: BenchCommand, artifact: Path) -> None:
    refused = bench.measure("other", [artifact])
    assert (refused.code, refused.results) == (2, {})
    assert refused.last_line.startswith(
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
    board: ArmBoard, told: list[str], monkeypatch: pytest.MonkeyPatch, *engines: str
) -> RemoteDevice:
    """The board as a device of this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_folder()))
    options = DeviceOptions(engines=engines or ("litert",), tell=told.append)
    entry = Board(
        name="pi", title="a Pi", kind="ssh", host="board", ssh_config=str(board.ssh_config)
    )
    return open_ssh(entry, options)


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
    shared_bundle("onnxruntime")
    home = "/home/pi/it's; a $HOME & (home)"
    own = tmp_path / "of the user's; own.onnx"
    (artifact,) = tiny_artifacts.glob("*x0.25*.onnx")
    own.write_bytes(artifact.read_bytes())
    with arm_board(tmp_path / "board", python=False, variables={"XDG_CACHE_HOME": home}) as board:
        device = reached(board, [], monkeypatch, "onnxruntime")
        try:
            spec = Spec(artifacts=(device.put(own),), rounds=1)
            (model,) = device.run(spec, lambda progress: None).models
        finally:
            device.close()
    assert model.artifact.startswith(f"{home}/shufflenet-deploy/parts/")
    assert model.artifact.endswith(f"/{own.name}")
    assert (model.engine, len(model.bursts)) == ("onnxruntime", 1)
