"""A whole ARM64 system over SSH, end to end: the real command line, and a kernel of its own.

Its processor is emulated, so that no time here means anything. What counts is what a real kernel
says, or does not, and that a user who calls such a system emulated gets no latency.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from arm_system import CORES, MODEL, ArmSystem, arm_system
from host_cache import shared_folder
from shufflenet_deploy.bench.analysis.summarise import summarise
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import Checked, Results, Timed, read
from waiting import HANG_SECONDS, wait_until

pytestmark = [pytest.mark.network, pytest.mark.slow]

_BOARDS = """\
[system]
title = "a whole system"
kind = "ssh"
host = "board"
ssh_config = "{config}"

[emulator]
title = "the same, known to be emulated"
kind = "ssh"
host = "board"
ssh_config = "{config}"
latency = false
"""


@dataclass(frozen=True)
class Running:
    """The command while it runs."""

    process: subprocess.Popen[bytes]
    said: Path
    """What it says on stderr."""

    def until(self, words: str) -> None:
        """Wait until it says them."""
        wait_until(lambda: words in self.stderr() or self.process.poll() is not None)
        assert self.process.poll() is None, self.stderr()

    def code(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(HANG_SECONDS)

    def stderr(self) -> str:
        return self.said.read_text()


@dataclass(frozen=True)
class Bench:
    """The command, with the system in the user's own file."""

    system: ArmSystem
    artifact: Path
    folder: Path

    @contextmanager
    def started(self, device: str, out: Path, *options: str) -> Iterator[Running]:
        """The command, which ends with the context at the latest."""
        command = [sys.executable, "-m", "shufflenet_deploy.bench", str(self.artifact)]
        command += ["--device", device, "--out", str(out), *options]
        said = out.with_suffix(".stderr")
        environment = {
            **os.environ,
            "XDG_CONFIG_HOME": str(self.folder),
            "XDG_CACHE_HOME": str(shared_folder()),
            "COLUMNS": "200",
        }
        with said.open("wb") as log:
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=log
            )
        try:
            yield Running(process, said)
        finally:
            process.kill()
            process.wait()

    def measure(self, device: str, out: Path) -> Results:
        """Measure as briefly as can be."""
        with self.started(device, out, "--rounds", "1", "--processes", "1") as running:
            assert running.code() == 0, running.stderr()
        results = read(out)
        assert results.ended == "done"
        return results


@pytest.fixture(scope="module")
def bench(tiny_artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    (artifact,) = tiny_artifacts.glob("*x0.25*.tflite")
    folder = tmp_path_factory.mktemp("bench")
    with arm_system(tmp_path_factory.mktemp("a system")) as system:
        (folder / "shufflenet-deploy").mkdir()
        boards = _BOARDS.format(config=system.ssh_config)
        (folder / "shufflenet-deploy/devices.toml").write_text(boards)
        yield Bench(system, artifact, folder)


def test_what_its_kernel_does_not_tell_is_called_missing(bench: Bench, tmp_path: Path) -> None:
    results = bench.measure("system", tmp_path / "results.json")
    machine = results.environment
    assert machine.kernel == bench.system.ssh("uname", "-r").stdout.strip() != platform.release()
    assert machine.architecture == bench.system.ssh("uname", "-m").stdout.strip() == "aarch64"
    assert (machine.board, machine.processor, machine.cores) == (MODEL, "Cortex-A72", CORES)
    assert machine.maximum_mhz == {}
    (run,) = results.runs
    assert isinstance(run, Timed)
    for state in run.states:
        assert (state.governors, state.frequencies_mhz, state.temperatures_c) == ({}, {}, {})
        assert state.throttled is None
        # What every kernel has.
        assert state.busy_seconds
        assert state.available_memory_bytes
    (model,) = results.models
    assert model.probe
    assert model.probe.difference is not None
    assert model.probe.difference < 1e-4
    warnings = {one.code: one for one in summarise(results, load_paper()).warnings}
    assert warnings["missing-sensors"].evidence.endswith(
        "does not tell its frequency, temperature, throttling"
    )
    assert not {"governor", "low-frequency", "throttled", "climbing"} & set(warnings)


def test_of_a_system_that_is_called_emulated_there_is_no_latency(
    bench: Bench, tmp_path: Path
) -> None:
    out = tmp_path / "results.json"
    results = bench.measure("emulator", out)
    assert results.target.kind == "ssh"
    assert not results.target.latency
    (run,) = results.runs
    assert isinstance(run, Checked)
    difference = run.models[0].difference
    assert difference is not None
    assert difference < 1e-4
    assert results.peak_multiply_adds_per_second == {}
    assert results.models[0].probe
    assert results.models[0].probe.first_use is None
    assert "_ns" not in out.read_text()
    summary = summarise(results, load_paper())
    (model,) = summary.models
    assert (model.latency_ms, model.cold_ms, model.load_ms, model.samples) == (None,) * 3 + (0,)
    # Nothing was read that could be missing.
    assert [one.code for one in summary.warnings] == ["emulated"]


def test_nothing_measured_is_lost_with_the_power(bench: Bench, tmp_path: Path) -> None:
    # The last test of this system, which ends with it.
    out = tmp_path / "results.json"
    options = ("--rounds", "3", "--processes", "3")
    with bench.started("system", out, *options) as running:
        running.until("board over ssh: ")  # it has the lock, and half a minute to go
        with bench.started("system", tmp_path / "other.json", *options) as other:
            assert other.code() == 1
        assert other.stderr().splitlines()[-1].startswith("error: board over ssh is taken by ")
        running.until("process 2\n")
        bench.system.fall_silent()
        assert running.code() == 1  # ssh takes it for gone after half a minute
    _check_one_line(running, out)
    kept = read(out)
    assert len(kept.runs) == 1

    bench.system.go_on()
    with bench.started("system", out, *options, "--resume") as running:
        running.until("process 3\n")  # the lock has not outlived the connection
        bench.system.end()
        assert running.code() == 1
    _check_one_line(running, out)
    assert len(read(out).runs) == 2
    assert read(out).runs[0] == kept.runs[0]


def _check_one_line(ended: Running, out: Path) -> None:
    """Of the error it says one line, after those of its progress."""
    *progress, last = ended.stderr().splitlines()
    assert last.startswith("error: the connection to board was lost (")
    assert last.endswith(f"); what was measured before is in {out}, and --resume goes on with it")
    assert progress[-1].endswith((", process 2", ", process 3"))
