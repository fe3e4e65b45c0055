from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell_link import ShellLink
from shufflenet_deploy.bench.devices.survey import Seen, _available, _libc, look, parse
from shufflenet_deploy.bench.provision import PYTHON_VERSIONS
from shufflenet_deploy.runtime.errors import BenchError

KEY = "0123456789abcdef" * 4
PI = f"""
root=/home/pi/it's; a $HOME = "home"/shufflenet-deploy
machine=aarch64
kernel=6.6.31+rpt-rpi-v8
clock=1700000000
df=/dev/mmcblk0p2 30448512 5232812 23947200 18% /
part={KEY}
part=.new-{KEY}-77
part=notes
python=/usr/bin/python3
python_version=3.11
python_bits=64
libc=glibc 2.36
has_venv=1
"""


def test_a_pi_is_understood() -> None:
    seen = parse(PI, "a Pi")
    survey = seen.survey
    assert seen.root == '/home/pi/it\'s; a $HOME = "home"/shufflenet-deploy'
    assert seen.parts == {KEY}
    assert (survey.machine, survey.kernel, survey.clock) == (
        "aarch64",
        "6.6.31+rpt-rpi-v8",
        1_700_000_000,
    )
    assert survey.free_bytes == 23_947_200 * 1024
    assert (survey.python, survey.python_version) == ("/usr/bin/python3", (3, 11))
    assert (survey.python_bits, survey.libc, survey.has_venv) == (64, ("glibc", 2, 36), True)


def test_a_phone_without_python_is_understood() -> None:
    seen = parse("root=/data/local/tmp/x\nmachine=aarch64\nclock=0\n", "a phone")
    assert (seen.survey.python, seen.survey.libc, seen.survey.free_bytes) == (None, None, None)
    assert not seen.survey.has_venv


def test_noise_of_a_shell_is_passed_over() -> None:
    assert parse(f"Welcome!\nmood=good\n{PI}\nbye", "a Pi") == parse(PI, "a Pi")


@pytest.mark.parametrize(
    "text", ["", "This account is not available.", PI.replace("clock=17", "clock=x")]
)
def test_what_is_no_survey_is_shown(text: str) -> None:
    with pytest.raises(BenchError, match=r"^a Pi does not say what it is, but '") as caught:
        parse(text, "a Pi")
    assert len(str(caught.value)) < 300


_LINES = st.sampled_from(PI.splitlines()) | st.text()


@given(st.lists(_LINES).map("\n".join) | st.text())
def test_whatever_is_printed_is_a_survey_or_is_told(text: str) -> None:
    try:
        seen = parse(text, "a Pi")
    except BenchError:
        return
    assert isinstance(seen, Seen)
    assert all(len(key) == 64 for key in seen.parts)


@given(st.text())
def test_any_line_of_df_has_a_number_or_none(line: str) -> None:
    assert (_available(line) or 0) >= 0


@given(st.text("ab 0%/", max_size=9), st.integers(0, 10**12), st.text("ab 0%/"))
def test_the_room_is_found_whatever_the_disk_is_called(device: str, room: int, place: str) -> None:
    # Where the folder's name looks like columns too, it is still the first.
    assert _available(f"x{device} 9 8 {room} 7% /{place}") is not None
    if "%" not in device:
        assert _available(f"x{device} 9 8 {room} 7% /{place}") == room * 1024


@given(st.text() | st.from_regex(r"\w+ \d{1,6}\.\d{1,6}.*"))
def test_any_c_library_has_a_version_or_none(text: str) -> None:
    found = _libc(text)
    assert found is None or found[1:] >= (0, 0)


@pytest.mark.parametrize(
    ("text", "libc"),
    [
        ("glibc 2.36", ("glibc", 2, 36)),
        ("glibc 2.35.1-ubuntu", ("glibc", 2, 35)),
        ("musl", None),
        ("glibc ٢.٣٦", None),
    ],
)
def test_c_libraries(text: str, libc: tuple[str, int, int] | None) -> None:
    assert _libc(text) == libc


def test_this_machine_answers(tmp_path: Path) -> None:
    root = tmp_path / 'it\'s; a "root" = $HOME'
    (root / "parts" / KEY).mkdir(parents=True)
    seen = look(ShellLink(root))
    assert seen.root == str(root)
    assert seen.parts == {KEY}
    assert seen.survey.machine == platform.machine()
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    assert seen.survey.free_bytes == pytest.approx(free, rel=0.2)


def test_a_folder_that_is_not_there_yet_has_the_room_of_those_above(tmp_path: Path) -> None:
    seen = look(ShellLink(tmp_path / "no/such/folder"))
    assert seen.parts == frozenset()
    assert seen.survey.free_bytes


def script(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return folder


_PYTHON = f'exec "{sys.executable}" "$@"'


@pytest.mark.parametrize("broken", ["exit 127", "exit 1", "echo python_version=2.7; exit 1"])
def test_a_python_that_will_not_do_is_passed_over(tmp_path: Path, broken: str) -> None:
    programs = script(tmp_path / "programs", "python3", broken)
    script(programs, "python3.11", "exit 1")
    script(programs, "python3.13", _PYTHON)
    script(programs, "python3.12", "exit 1")
    seen = look(ShellLink(tmp_path, PATH=f"{programs}:{os.environ['PATH']}"))
    assert seen.survey.python == str(programs / "python3.13")
    assert seen.survey.python_version == sys.version_info[:2]


def test_a_python_without_the_module_venv_says_so(tmp_path: Path) -> None:
    """As Debian's, without python3-venv, on a system where somebody has removed even that."""
    hidden = (
        f'shift 3; exec "{sys.executable}" -I -S -c "import importlib.util as u; u.find_spec = '
        'lambda name: None; exec(__import__(\'sys\').argv.pop(1))" "$@"'
    )
    programs = script(tmp_path / "programs", "python3", hidden)
    seen = look(ShellLink(tmp_path, PATH=f"{programs}:{os.environ['PATH']}"))
    assert seen.survey.python == str(programs / "python3")
    assert not seen.survey.has_venv


def test_a_device_without_any_python_is_no_failure(tmp_path: Path) -> None:
    programs = script(tmp_path / "programs", "python3", "exit 127")
    for version in PYTHON_VERSIONS:
        script(programs, f"python{version}", "exit 127")
    seen = look(ShellLink(tmp_path, PATH=f"{programs}:{os.environ['PATH']}"))
    assert seen.survey.python is None


def test_a_clock_far_off_is_only_told(tmp_path: Path) -> None:
    programs = script(tmp_path / "programs", "date", "echo -86400")
    seen = look(ShellLink(tmp_path, PATH=f"{programs}:{os.environ['PATH']}"))
    assert seen.survey.clock == -86400


def test_a_shell_that_prints_without_an_end_of_line_disturbs_nothing(tmp_path: Path) -> None:
    link = ShellLink(tmp_path)
    link.before = "printf 'Welcome: '"
    assert look(link).root == str(tmp_path)
