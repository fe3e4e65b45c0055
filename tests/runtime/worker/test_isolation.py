"""What of the user's a process of ours sees, in a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shufflenet_deploy.runtime.worker.isolation import isolated_environment, module_command
from waiting import HANG_SECONDS


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", None),
        (os.pathsep, None),
        ("/a", "/a"),
        (f"/a{os.pathsep}{os.pathsep}/b", f"/a{os.pathsep}/b"),
        (f"{os.pathsep}/a{os.pathsep}", "/a"),
    ],
)
def test_the_current_folder_is_dropped_from_the_path(given: str, kept: str | None) -> None:
    assert isolated_environment({"PYTHONPATH": given}).get("PYTHONPATH") == kept


def test_a_folder_of_the_path_is_the_same_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isolated_environment({"PYTHONPATH": "src"})["PYTHONPATH"] == str(tmp_path / "src")


def test_settings_go_and_everything_else_stays() -> None:
    given = {"PYTHONWARNINGS": "error", "PYTHONINSPECT": "1", "PATH": "/bin", "PYTHONHOME": "/p"}
    assert isolated_environment(given) == {"PATH": "/bin", "PYTHONHOME": "/p"}


@pytest.mark.parametrize("name", ["random.py", "numpy.py", "json.py"])
def test_a_worker_starts_in_a_folder_with_such_a_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("raise SystemExit('mine')\n")
    settings = {"PYTHONPATH": os.pathsep, "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2"}
    done = subprocess.run(
        module_command("shufflenet_deploy.runtime"),
        cwd=tmp_path,
        env=isolated_environment({**os.environ, **settings}),
        input=b"no question",
        capture_output=True,
        timeout=HANG_SECONDS,
    )
    assert b"mine" not in done.stderr
    assert b"question" in done.stderr or b"malformed" in done.stderr.lower(), done.stderr


def test_a_users_own_packages_are_left_out() -> None:
    assert module_command("a.module")[:1] == [sys.executable]
    assert "-s" in module_command("a.module")
