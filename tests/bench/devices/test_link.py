from __future__ import annotations

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell_link import CUT_OFF, ShellLink
from shufflenet_deploy.bench.devices.agent_client import DeviceLostError
from shufflenet_deploy.bench.devices.link import ask, last_line, script
from shufflenet_deploy.runtime.errors import BenchError

SCRIPTS = sorted(
    path.name
    for path in files("shufflenet_deploy.bench.devices").joinpath("scripts").iterdir()
    if path.name.endswith(".sh")
)


@pytest.fixture
def link(tmp_path: Path) -> ShellLink:
    return ShellLink(tmp_path / "a $ROOT")


def test_a_script_has_its_input_and_the_folder(link: ShellLink) -> None:
    assert ask(link, 'printf %s "$root"; cat', b" data") == f"{link.root} data"


def test_data_may_come_from_a_file(link: ShellLink, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x" * 1_000_000)
    with (tmp_path / "data").open("rb") as data:
        assert ask(link, "wc -c", data).strip() == "1000000"


def test_what_is_no_text_is_an_answer_too(link: ShellLink) -> None:
    assert ask(link, r"printf '\377'") == "�"


def test_the_last_words_of_a_script_that_fails_are_told(link: ShellLink) -> None:
    with pytest.raises(BenchError, match=r"^the board: what was wrong$") as caught:
        ask(link, "echo before >&2; echo what was wrong >&2; echo >&2; exit 3")
    assert not isinstance(caught.value, DeviceLostError)
    with pytest.raises(BenchError, match=r"^the board: exit code 3$"):
        ask(link, "exit 3")


def test_the_way_that_fails_is_told_as_such(link: ShellLink) -> None:
    with pytest.raises(DeviceLostError, match="the way to the board was lost"):
        ask(link, f"exit {CUT_OFF}")


def test_a_device_that_hangs_is_not_waited_for(link: ShellLink) -> None:
    with pytest.raises(BenchError, match=r"^the board does not answer within 0 s: is it awake"):
        ask(link, "sleep 60", seconds=0.2)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_for_any_posix_shell(name: str) -> None:
    text = script(name)
    assert not re.search(r"^\s*#", text, re.MULTILINE)
    subprocess.run(["sh", "-n"], input=text.encode(), check=True)
    assert "[[" not in text  # which a phone's shell lacks


@given(st.text())
def test_the_last_line_is_one_that_says_something(said: str) -> None:
    line = last_line(said)
    assert line == line.strip()
    assert bool(line) == bool(said.strip())
