"""A measurement over SSH, the device and the host that it runs on, and an account of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arm_root import ArmBoard
from bench_command import BenchCommand
from cases import require_plain
from fake_clock import FakeClock, build, variables
from small_disk import small_disk
from ssh_pi import BOARDS, Pi
from waiting import is_running, processes, wait_until

_OURS = "SHUFFLENET_SOAK"
"""An environment variable of all that runs on the host, by which it is found again."""
_ENDED_BY = {-signal.SIGKILL, 128 + signal.SIGTERM, 128 + signal.SIGHUP}
_KEPT_ELSEWHERE = re.compile(r"what there was to write is in (.+): move it to where there is room")
_HOST_DISK, _DEVICE_DISK = "4m", "400m"
_DEVICE_FILES = ("home", "tmp", "run")
_LOOK_SECONDS = 0.05
_WHOLE = ("parts", "venvs")
"""Folders in which a folder is ours or not; Python writes bytecode in it as it likes."""


@dataclass
class Account:
    """Every process that was ever seen in the results of `file`: none may be lost or change."""

    file: Path
    kept: dict[tuple[str, int], Any] = field(default_factory=dict)
    _seen: int = 0

    def audit(self) -> None:
        """Compare what there is with all that there was."""
        if not self.file.exists():
            assert not self.kept
            return
        state = self.file.stat()
        if state.st_ino == self._seen:  # it is replaced, never written to
            return
        self._seen = state.st_ino
        runs = {}
        for run in json.loads(self.file.read_text())["runs"]:
            key = run["block"], run["process"]
            assert key not in runs, f"twice: {key}"
            runs[key] = run
        for key, run in self.kept.items():
            assert runs.get(key) == run, f"lost or altered: {key}"
        # What Ctrl-C cut short is shown as it is, and measured anew.
        self.kept = {key: run for key, run in runs.items() if run["stopped"] != "interrupted"}


@dataclass
class Soaked:
    """`shufflenet-bench` on a host, and a device over SSH."""

    pi: Pi
    command: BenchCommand
    artifact: Path
    host_disk: Path
    host_clock: FakeClock
    device_clock: FakeClock
    account: Account
    process: subprocess.Popen[str] | None = None
    ends: Counter[str] = field(default_factory=Counter)
    """How often the command ended with which words, without their figures."""
    _errors: Path = Path()

    @property
    def board(self) -> ArmBoard:
        """The device, as it was last switched on."""
        return self.pi.board

    @property
    def device_disk(self) -> Path:
        """Where the device has a small disk."""
        return self.board.home

    def words(self, processes: int, *options: str) -> list[str | Path]:
        """The command that measures."""
        limits = ("--processes", str(processes), "--rounds", "100000", "--prepare")
        return [self.artifact, "--device", "pi", "--out", self.command.out, *limits, *options]

    def start(self) -> None:
        """Begin the measurement, or go on with it."""
        self._errors = self.command.folder / "errors.txt"
        with self._errors.open("w") as errors:
            words = self.words(1000, "--interval", "0", "--resume")
            self.process = self.command.start(*words, errors=errors.fileno())

    def has_ended(self) -> bool:
        """Whether the command has."""
        assert self.process
        return self.process.poll() is not None

    def measure_for(self, seconds: float) -> None:
        """Let it measure, and look at what it keeps meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.account.audit()
            self.go_on()
            time.sleep(_LOOK_SECONDS)

    def settle(self) -> None:
        """Until it has ended, or measured another process: it has noticed what went wrong, or not.

        A process that was measured when it went wrong may yet come.
        """
        self.account.audit()
        before = len(self.account.kept)

        def settled() -> bool:
            ended = self.has_ended()
            self.account.audit()
            return ended or len(self.account.kept) > before + 1

        wait_until(settled)

    def go_on(self) -> None:
        """Where it has ended, see that it did so as a command may, and resume."""
        if self.has_ended():
            self._conclude()
            self.start()

    def signal(self, number: int) -> None:
        """Send the command a signal, once it is more than a Python that begins."""
        assert self.process
        wait_until(lambda: self.has_ended() or self._handles_signals())
        self.process.send_signal(number)

    def _handles_signals(self) -> bool:
        """Whether it handles SIGTERM, see proc(5)."""
        assert self.process
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (caught,) = re.findall(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE) or ["0"]
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def stop(self) -> None:
        """End it, as a user does."""
        self.signal(signal.SIGINT)
        wait_until(self.has_ended)
        self._conclude()

    def _conclude(self) -> None:
        assert self.process
        self.process.communicate()
        code, errors = self.process.returncode, self._errors.read_text()
        require_plain(errors)
        assert "Traceback" not in errors, errors
        last = errors.strip().rpartition("\n")[2]
        if code == 1:
            assert last.startswith("error: "), errors
            assert errors.count("error: ") == 1, errors
        else:
            assert code in _ENDED_BY, f"exit code {code}: {errors}"
        self.ends[re.sub(r"/\S+|\d+", "*", last) if code == 1 else f"exit code {code}"] += 1
        if kept := _KEPT_ELSEWHERE.search(last):
            self._move_back(Path(kept[1]))
        self.account.audit()

    def _move_back(self, file: Path) -> None:
        """Do as the command says: where it wrote there is room again."""
        for full in self.host_disk.glob("full*"):
            full.unlink()
        shutil.move(file, self.command.out)
        file.parent.rmdir()

    def on_host(self, words: str = "") -> list[int]:
        """Processes on the host whose command has `words`."""
        mark = f"{_OURS}={self.command.folder}\0".encode()
        return [process for process in processes(mark, words) if is_running(process)]

    def await_nothing_on_host(self) -> None:
        """Until no process of ours is left there."""
        wait_until(lambda: not self.on_host())

    def left_on_host(self) -> list[str]:
        """Files beside the results, and temporary ones."""
        return _names(self.host_disk, ()) + _names(self.command.folder / "tmp", ())

    def left_on_device(self) -> list[str]:
        """All files that a session may have made there."""
        return [name for part in _DEVICE_FILES for name in _names(self.board.folder / part, _WHOLE)]


def _names(folder: Path, whole: tuple[str, ...]) -> list[str]:
    """Paths of all files below `folder`; of a folder in one called as in `whole`, its own alone."""
    names = []
    for parent, folders, files in os.walk(folder):
        inside = Path(parent).relative_to(folder.parent)
        names += [f"{inside / name}" for name in files]
        if inside.name in whole:
            names += [f"{inside / name}" for name in folders]
            folders.clear()
    return sorted(names)


@contextmanager
def soaked(folder: Path, artifact: Path) -> Iterator[Soaked]:
    """A device with a small disk and a clock of its own, and a host likewise."""
    device = folder / "device"
    with (
        small_disk(folder / "host-disk", _HOST_DISK) as host_disk,
        small_disk(device / "home/pi", _DEVICE_DISK),
    ):
        for part in ("run", "opt/first"):
            (device / part).mkdir(parents=True)
        build(device / "opt/first/fake_clock.so", "aarch64-linux-gnu-gcc")
        device_clock = FakeClock(device / "run/clock")
        device_clock.move(0)
        pi = Pi(device, variables("/opt/first/fake_clock.so", "/run/clock"))
        try:
            host_clock = FakeClock(folder / "clock")
            own = build(folder / "fake_clock.so")
            (folder / "host/tmp").mkdir(parents=True)
            environment = {
                **variables(own, host_clock.file),
                "TMPDIR": str(folder / "host/tmp"),
                _OURS: str(folder / "host"),
            }
            command = _Command.with_boards(
                folder / "host", BOARDS.format(config=pi.board.ssh_config), environment
            )
            account = Account(command.out)
            scene = Soaked(pi, command, artifact, host_disk, host_clock, device_clock, account)
            try:
                yield scene
            finally:
                if scene.process:
                    scene.process.kill()
                    scene.process.wait()
                    if scene.process.stdout:
                        scene.process.stdout.close()
        finally:
            pi.off()


class _Command(BenchCommand):
    @property
    def out(self) -> Path:
        return self.folder.parent / "host-disk/results.json"
