"""Login shells and environments as people have them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cases import Bench, reached
from fake_ssh import FakeSsh
from shufflenet_deploy.bench.devices.board import Board
from shufflenet_deploy.bench.devices.ssh import SshLink
from shufflenet_deploy.bench.devices.survey import look
from shufflenet_deploy.runtime.errors import BenchError


@pytest.mark.parametrize(
    "shell",
    [
        "sh",
        "bash",
        "dash",
        "zsh",
        "fish",
        "csh",
        "tcsh",
    ],
)
@pytest.mark.parametrize("noise", ["", "no end of line: "], ids=["quiet", "noisy"])
def test_a_device_answers_whatever_the_login_shell(
    shell: str, noise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    marker = tmp_path / "shell-ran"
    # The login shell leaves a mark before it runs what it is given.
    wrapper = tmp_path / "login"
    wrapper.write_text(f"#!/bin/sh\n: >'{marker}'\nexec {program} \"$@\"\n")
    wrapper.chmod(0o755)
    fake = FakeSsh.install(tmp_path, str(wrapper), noise, whine=noise)
    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    link = SshLink(Board(name="box", title="a box", kind="ssh", host="box"))
    try:
        seen = look(link)
    except BenchError as error:
        raise AssertionError(f"{shell}: {error}") from None
    finally:
        link.close()
        reached(marker.exists(), "the login shell was never asked")
    assert seen.root == f"{fake.home}/.cache/shufflenet-deploy"
    assert seen.survey.machine == os.uname().machine


def test_a_user_without_a_home_folder_measures(bench: Bench, small_onnx: Path) -> None:
    homeless = Bench.in_folder(
        bench.folder, HOME="", XDG_CACHE_HOME="", XDG_CONFIG_HOME="", TMPDIR=str(bench.folder)
    )
    reached("HOME" not in homeless.environment(), "HOME is set")
    homeless.measure(small_onnx).require_success()


def test_a_locale_without_utf8_is_no_obstacle(bench: Bench, small_onnx: Path) -> None:
    plain = Bench.in_folder(bench.folder, LC_ALL="C", LANG="C", TERM="dumb")
    plain.measure(small_onnx).require_success()


@pytest.mark.parametrize(
    "name",
    ["random.py", "numpy.py", "json.py", "msgspec.py", "signal.py", "typing.py"],
)
def test_the_users_own_files_shadow_none_of_ours(name: str, bench: Bench, small_onnx: Path) -> None:
    (bench.folder / name).write_text("open('shadowed', 'w').close()\nraise SystemExit('mine')\n")
    said = bench.measure(small_onnx)
    reached(small_onnx.stem in said.stdout + said.stderr or said.code, said.stderr)
    assert not (bench.folder / "shadowed").exists()
    said.require_success()
