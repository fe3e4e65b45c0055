"""What stands still or was cut off in the middle: said, and mended by the next run."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from cases import Bench, finish, reached
from hostile_device import DeviceNeeds, HostileDevice


def children(process: int) -> list[int]:
    """The processes that `process` has started."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(word) for word in text.split()]


def stands_still(process: int, seconds: float = 10.0) -> bool:
    """Whether `process` is stopped, which takes effect a moment after the signal."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_a_worker_that_stands_still_is_given_up(bench: Bench, small_onnx: Path) -> None:
    many = ("--rounds", "2000", "--processes", "6", "--out", "results.json")
    host = bench.start("shufflenet-bench", small_onnx, *many)
    worker = None
    try:
        end = time.monotonic() + 60.0
        while time.monotonic() < end and not (bench.folder / "results.json").exists():
            time.sleep(0.1)
        for agent in children(host.pid):
            worker = next(iter(children(agent)), worker)
        reached(worker is not None, "there is no worker")
        assert worker is not None
        os.kill(worker, signal.SIGSTOP)
        reached(stands_still(worker), "the worker goes on")
        finish(host, 150.0).require_one_line()
    finally:
        if worker is not None and Path(f"/proc/{worker}").exists():
            os.kill(worker, signal.SIGKILL)
        if host.poll() is None:
            host.kill()
            host.wait()


@pytest.mark.slow
@pytest.mark.network
def test_a_part_that_was_cut_off_is_made_anew(
    honest_answer: str, device_needs: DeviceNeeds, own_onnx: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "own-cache"
    host = cache / "shufflenet-deploy/host"
    host.parent.mkdir(parents=True)
    shutil.copytree(device_needs.cache / "shufflenet-deploy/host", host)
    needs = DeviceNeeds(cache, tmp_path / "parts")
    needs.parts.mkdir()
    device = HostileDevice.set_up(tmp_path, needs, "honest", honest_answer)
    first = device.bench.run("shufflenet-bench", *device.words(own_onnx))
    device.require_reached()
    reached(first.code == 0, first.stderr)
    archives = list((host / "parts").glob("*.tgz"))
    reached(archives, "no part is kept")
    for archive in archives:
        os.truncate(archive, archive.stat().st_size // 2)
    shutil.rmtree(needs.parts)
    needs.parts.mkdir()
    (tmp_path / "results.json").unlink()
    device.bench.run("shufflenet-bench", *device.words(own_onnx)).require_success()
