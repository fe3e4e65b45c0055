"""The tutorial, followed: on this machine, and on a Raspberry Pi that is emulated."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from arm_root import MODEL, arm_board
from documents import ROOT, Document
from following import follow
from host_cache import shared_folder

TUTORIAL = Document(ROOT / "docs/tutorial.md")

pytestmark = pytest.mark.network


def test_every_command_of_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    here, settings = tmp_path / "here", tmp_path / "settings/shufflenet-deploy"
    (here / "tests").mkdir(parents=True)
    (here / "tests/data").symlink_to(ROOT / "tests/data")
    settings.mkdir(parents=True)
    (boards,) = TUTORIAL.blocks("toml")
    with arm_board(tmp_path / "board") as board:
        (settings / "devices.toml").write_text(f'{boards}ssh_config = "{board.ssh_config}"\n')
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "XDG_CONFIG_HOME": str(settings.parent),
            "XDG_CACHE_HOME": str(shared_folder()),
            "COLUMNS": "200",
        }
        said = follow(TUTORIAL, here, environment)
    assert MODEL in next(output for command, output in said.items() if "--probe" in command)
    assert "same" in next(output for command, output in said.items() if "verify" in command)
    results = json.loads((here / "results.json").read_text())
    assert results["environment"]["board"] == MODEL
    assert (here / "report.html").stat().st_size > 10_000
    assert said[list(said)[-1]].split()[-1].isdecimal()
