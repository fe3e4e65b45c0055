"""What goes wrong with a Raspberry Pi over SSH, on a real sshd in Debian for ARM64, emulated.

Everything over one board and few contacts: in emulation each costs seconds.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arm_root import ArmBoard
from bench_command import BenchCommand
from host_cache import shared_bundle, use_shared_cache
from shufflenet_deploy.bench.devices.agent_client import DeviceLostError, this_host
from shufflenet_deploy.bench.devices.board import Board
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.bench.devices.remote import RemoteDevice
from shufflenet_deploy.bench.devices.ssh import open_ssh
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.worker.spec import Progress, Spec
from small_disk import small_disk
from ssh_pi import BOARDS, Pi, await_left, cut, governor, running, started
from waiting import wait_until

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pi]:
    shared_bundle("litert")
    pi = Pi(tmp_path_factory.mktemp("a board"))
    yield pi
    pi.off()


@pytest.fixture
def board(pi: Pi) -> ArmBoard:
    return pi.board


@pytest.fixture(scope="module")
def artifact(tiny_artifacts: Path) -> Path:
    (path,) = tiny_artifacts.glob("*x0.25*.tflite")
    return path


@pytest.fixture
def command(board: ArmBoard, tmp_path: Path) -> BenchCommand:
    return with_board(board, tmp_path)


def with_board(board: ArmBoard, folder: Path) -> BenchCommand:
    return BenchCommand.with_boards(folder, BOARDS.format(config=board.ssh_config), {})


def open_board(config: Path | None, host: str = "board", prepare: bool = False) -> RemoteDevice:
    """The device of an ssh configuration, in this process."""
    entry = Board(
        name="pi", title="a Pi", kind="ssh", host=host, ssh_config=str(config) if config else None
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_shared_cache(monkeypatch)
        return open_ssh(entry, DeviceOptions(engines=("litert",), prepare=prepare))


def changed(board: ArmBoard, folder: Path, old: str, new: str) -> Path:
    """A configuration for ssh with one thing changed."""
    text = board.ssh_config.read_text()
    assert old in text
    config = folder / "ssh_config"
    config.write_text(text.replace(old, new))
    return config


def new_key(folder: Path) -> Path:
    key = folder / "other_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key


def test_a_host_key_that_is_not_known_is_not_accepted(board: ArmBoard, tmp_path: Path) -> None:
    known = f'"{board.folder}/known_hosts"'
    config = changed(board, tmp_path, known, str(tmp_path / "nobody"))
    with pytest.raises(
        BenchError, match=r"the host key of board is not known yet: connect once by"
    ):
        open_board(config)
    assert not (tmp_path / "nobody").exists()


def test_a_host_key_that_has_changed_is_told_with_what_it_may_mean(
    board: ArmBoard, tmp_path: Path
) -> None:
    key = new_key(tmp_path).with_suffix(".pub").read_text()
    (tmp_path / "known").write_text(f"[127.0.0.1]:{board.port} {key}")
    config = changed(board, tmp_path, f'"{board.folder}/known_hosts"', str(tmp_path / "known"))
    with pytest.raises(BenchError, match=r"board has another host key.*ssh-keygen -R.*in between"):
        open_board(config)


def test_a_key_that_the_board_does_not_know_asks_for_no_password(
    board: ArmBoard, tmp_path: Path
) -> None:
    config = changed(board, tmp_path, f'"{board.folder}/key"', str(new_key(tmp_path)))
    with pytest.raises(BenchError, match=r"board does not let this user in.*ssh-copy-id board"):
        open_board(config)


def test_a_connection_that_is_lost_in_the_rounds_leaves_the_board_as_it_was(
    board: ArmBoard, artifact: Path
) -> None:
    def lose(progress: Progress) -> None:
        if progress.stage == "round" and progress.done:
            assert governor(board).read_text() == "performance"
            cut(board)

    device = open_board(board.ssh_config, prepare=True)
    try:
        spec = Spec(artifacts=(device.put(artifact),), rounds=10_000)
        with pytest.raises(DeviceLostError, match="the connection to board was lost"):
            device.run(spec, lose)
    finally:
        device.close()
    await_left(board)


def test_a_host_that_is_killed_leaves_a_board_that_puts_itself_back(
    board: ArmBoard, command: BenchCommand, artifact: Path
) -> None:
    process = command.start(*command.measuring("pi", [artifact], "--prepare"))
    wait_until(lambda: governor(board).read_text() == "performance" or process.poll() is not None)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    await_left(board)


def test_a_board_that_slows_down_is_warned_of(
    board: ArmBoard, command: BenchCommand, artifact: Path
) -> None:
    throttled = board.folder / "run/throttled"
    fine = throttled.read_text()
    throttled.write_text("throttled=0x50005\n")
    try:
        hot = command.measure("pi", [artifact])
    finally:
        throttled.write_text(fine)
    assert hot.code == 0, hot.stderr
    assert "under-voltage and throttled while it was measured" in " ".join(hot.stdout.split())


def test_ctrl_c_keeps_what_was_measured_and_meanwhile_nobody_else_gets_in(
    board: ArmBoard, command: BenchCommand, artifact: Path, tmp_path: Path
) -> None:
    words = ("--prepare", "--rounds", "10000", "--processes", "50")
    with (tmp_path / "said").open("w") as said:
        process = command.start(*command.measuring("pi", [artifact], *words), errors=said.fileno())
    command.await_samples(process)
    other = with_board(board, tmp_path / "other").run(artifact, "--device", "pi")
    assert (other.code, other.results) == (1, {})
    assert other.last_line.startswith(f"error: board over ssh is taken by {this_host()}, for ")
    wait_until(lambda: len(running(board, "shufflenet_deploy.runtime")) > 1)
    time.sleep(3)  # most likely it is in its rounds by then; what follows holds if it is not
    process.send_signal(signal.SIGINT)
    outcome = command.finish(process)
    last = (tmp_path / "said").read_text().strip().splitlines()[-1]
    assert (outcome.code, last) == (
        1,
        f"error: interrupted: what was measured is in {command.out}, --resume goes on",
    )
    assert outcome.results["ended"] == "interrupted"
    await_left(board)


def test_a_board_that_starts_anew_is_measured_to_the_end_by_resume(
    pi: Pi, command: BenchCommand, artifact: Path
) -> None:
    options = ("--prepare", "--processes", "2", "--interval", "0")
    words = command.measuring("pi", [artifact], *options)
    process = command.start(*words)
    wait_until(lambda: process.poll() is not None or _runs(command.out))
    pi.off()
    lost = command.finish(process)
    assert lost.code == 1
    assert "Traceback" not in lost.stderr
    assert lost.last_line.startswith("error: the connection to board was lost (")
    assert lost.last_line.endswith(
        f"; what was measured before is in {command.out}, and --resume goes on with it"
    )
    assert (len(lost.results["runs"]), lost.results["ended"]) == (1, "no")
    assert governor(pi.board).read_text() == "performance"  # nobody was left to put it back

    pi.on()
    (pi.board.folder / "run/throttled").write_text("throttled=0x50005\n")
    resumed = command.run(*words, "--resume")
    assert resumed.code == 0, resumed.stderr
    assert "copying" not in resumed.stderr
    assert "the governor is performance for this measurement, and then ondemand" in resumed.stderr
    await_left(pi.board)
    assert resumed.results["ended"] == "done"
    assert resumed.results["runs"][0] == lost.results["runs"][0]
    assert len(resumed.results["runs"]) >= 2
    assert "(bits 0x50005)" in resumed.stdout


def _runs(out: Path) -> list[object]:
    return json.loads(out.read_text())["runs"] if out.exists() else []


def test_a_full_disk_is_told_with_how_much_is_needed(tmp_path: Path) -> None:
    home = tmp_path / "board/home/pi"
    with small_disk(home, "24m"):
        with started(tmp_path / "board") as board, pytest.raises(BenchError) as caught:
            open_board(board.ssh_config)
        left = [*home.glob(".cache/shufflenet-deploy/parts/.new-*")]
    assert str(caught.value).startswith("board over ssh is full: ")
    assert "MB are needed in /home/pi/.cache/shufflenet-deploy, and " in str(caught.value)
    assert not left
