"""What is left on a machine: governors, the cache of a user without a home, the lock of two."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from cases import Bench, Said, finish, reached
from shufflenet_deploy.runtime.machine.governor import Governor

STRANGER, VICTIM = 1111, 4242


def test_all_governors_that_are_there_are_put_back(tmp_path: Path) -> None:
    cpu = tmp_path / "sys/devices/system/cpu"
    for core in range(4):
        (cpu / f"cpufreq/policy{core}").mkdir(parents=True)
        (cpu / f"cpufreq/policy{core}/scaling_governor").write_text("ondemand\n")
        (cpu / f"cpu{core}").mkdir()
        (cpu / f"cpu{core}/cpufreq").symlink_to(f"../cpufreq/policy{core}")
    saved = tmp_path / "governor.json"
    governor = Governor(saved, tmp_path)
    governor.prepare()
    reached(len(json.loads(saved.read_text())) == 4, "what was there is not on record")
    files = sorted(cpu.glob("cpufreq/*/scaling_governor"))
    reached({file.read_text() for file in files} == {"performance"}, "nothing was changed")
    shutil.rmtree(cpu / "cpufreq/policy0")  # meanwhile core 0 is taken offline
    governor.restore()
    assert [file.read_text().strip() for file in files[1:]] == ["ondemand"] * 3


def unshared(bench: Bench, artifact: Path) -> Said:
    """A measurement by a user who has no home folder."""
    if os.getuid() or shutil.which("unshare") is None:
        pytest.skip("acting as two users takes root and unshare")
    user = ["unshare", "-U", f"--map-user={VICTIM}", f"--map-group={VICTIM}"]
    if subprocess.run([*user, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody unshare users")
    homeless = Bench.in_folder(
        bench.folder,
        HOME="",
        XDG_CACHE_HOME="",
        XDG_CONFIG_HOME="",
        TMPDIR=str(bench.folder / "tmp"),
    )
    brief = ("--rounds", "1", "--processes", "1", "--out", "tmp/results.json")
    return homeless.run("shufflenet-bench", artifact, *brief, by=user)


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """The folder that a stranger has made in place of a homeless user's cache."""
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    folder = shared / "shufflenet-deploy"
    folder.mkdir()
    folder.chmod(0o777)
    if not os.getuid():
        os.chown(folder, STRANGER, STRANGER)
    return folder


@pytest.mark.slow
def test_a_planted_link_is_not_followed(bench: Bench, planted: Path, small_onnx: Path) -> None:
    precious = bench.folder / "tmp/file"
    precious.write_text("precious\n")
    (planted / "lock").symlink_to("../file")
    said = unshared(bench, small_onnx)
    reached(small_onnx.stem in said.stdout + said.stderr, said.stderr)
    assert precious.read_text() == "precious\n"


@pytest.mark.slow
def test_a_planted_record_of_governors_is_not_put_back(
    bench: Bench, planted: Path, small_onnx: Path
) -> None:
    keys = bench.folder / "tmp/authorized_keys"
    keys.write_text("old\n")
    (planted / "governor.json").write_text(json.dumps({str(keys): "ssh-rsa ATTACKER"}))
    said = unshared(bench, small_onnx)
    reached(small_onnx.stem in said.stdout + said.stderr, said.stderr)
    assert keys.read_text() == "old\n"


@pytest.mark.slow
def test_two_users_do_not_measure_at_once(tmp_path: Path, small_onnx: Path) -> None:
    users = [Bench.in_folder(tmp_path, XDG_CACHE_HOME=str(tmp_path / name)) for name in "ab"]
    many = ("--rounds", "2000", "--processes", "6", "--out", "first.json")
    first = users[0].start("shufflenet-bench", small_onnx, *many)
    try:
        lock = tmp_path / "a/shufflenet-deploy/lock"
        while first.poll() is None and not (lock.exists() and lock.read_bytes()):
            time.sleep(0.05)
        said = users[1].measure(small_onnx, out="second.json")
        reached(first.poll() is None, "the first was over before the second")
    finally:
        first.terminate()
        finish(first, 60.0)
    assert "another measurement" in said.stderr or "taken" in said.stderr
