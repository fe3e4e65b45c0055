"""A device behind a way, provisioned and measured: with this machine's own shell as the way."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from shell_link import CUT_OFF, ShellLink, whole_part
from shufflenet_deploy.bench.devices.agent_client import DeviceLostError, this_host
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.bench.devices.remote import RemoteDevice, check_kernel
from shufflenet_deploy.bench.devices.survey import look
from shufflenet_deploy.bench.provision import Installation, Part, Survey, Way
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.worker.spec import Spec

VERSION = sys.version_info[:2]
Tell = Callable[[str], None]


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Part:
    return whole_part(tmp_path_factory.mktemp("part"))


def environment(part: Part, python: str = sys.executable) -> Installation:
    return Installation(
        way="venv", reason="for a test", parts=(part,), python=python, python_version=VERSION
    )


@pytest.fixture
def link(tmp_path: Path) -> ShellLink:
    return ShellLink(tmp_path / "it's; a $ROOT")


class Opener:
    """Opens devices by given installations; what it told is in `told`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.told: list[str] = []

    def __call__(self, link: ShellLink, *ways: Installation) -> RemoteDevice:
        def choose(
            survey: Survey, way: Way | None, formats: tuple[str, ...], tell: Tell
        ) -> Iterator[Installation]:
            yield from ways

        device = RemoteDevice(link, DeviceOptions(tell=self.told.append), choose)
        self._stack.callback(device.close)
        return device


@pytest.fixture
def open_(tmp_path: Path) -> Iterator[Opener]:
    with ExitStack() as stack:
        yield Opener(stack)


def test_a_worker_runs_in_an_environment_of_parts(
    open_: Opener, link: ShellLink, part: Part, tiny_artifacts: Path
) -> None:
    device = open_(link, environment(part))
    assert open_.told[-1] == "the board: venv, for a test"
    (artifact,) = tiny_artifacts.glob("*x0.25*.tflite")
    spec = Spec(artifacts=(device.put(artifact),), rounds=1, canary=False)
    (model,) = device.run(spec, lambda progress: None).models
    assert model.artifact.startswith(f"{link.root}/parts/")
    device.close()
    assert link.closed
    (made,) = (link.root / "venvs").iterdir()
    before = made.stat().st_ino
    told = len(open_.told)
    open_(link, environment(part))
    assert open_.told[told:] == ["the board: venv, for a test"]  # nothing is copied again
    assert [one.stat().st_ino for one in (link.root / "venvs").iterdir()] == [before]


def test_where_one_way_does_not_start_the_next_is_tried(
    open_: Opener, link: ShellLink, part: Part
) -> None:
    open_(link, environment(part, "/no/such/python"), environment(part))
    failed = open_.told[-2]
    assert failed.startswith("the board does not run the venv that was made for it: ")
    assert failed.endswith("/no/such/python: not found; trying another way")
    assert open_.told[-1] == "the board: venv, for a test"
    assert len(list((link.root / "venvs").iterdir())) == 1


def test_where_no_way_starts_the_last_is_told(open_: Opener, link: ShellLink, part: Part) -> None:
    with pytest.raises(BenchError, match=r"^the board does not run the venv.*/none: not found$"):
        open_(link, environment(part, "/none"))
    assert link.closed


def test_a_way_that_is_lost_is_not_taken_for_one_that_does_not_start(
    open_: Opener, link: ShellLink, part: Part
) -> None:
    class Breaking(ShellLink):
        def command(self, script: str) -> Sequence[str]:
            return ["sh", "-c", f"exit {CUT_OFF}"] if "venv" in script else super_command(script)

    breaking = Breaking(link.root)
    super_command = link.command
    with pytest.raises(DeviceLostError, match=r"^the way to the board was lost$"):
        open_(breaking, environment(part), environment(part))
    assert not [line for line in open_.told if "another way" in line]
    assert breaking.closed


def test_a_part_that_is_gone_is_named(open_: Opener, link: ShellLink, part: Part) -> None:
    class Forgetful(ShellLink):
        def command(self, script: str) -> list[str]:
            if "runtime.agent" in script:
                (link.root / "parts" / part.key).rename(link.root / "elsewhere")
            return list(link.command(script))

    with pytest.raises(BenchError, match=f"a part is gone: {part.key}"):
        open_(Forgetful(link.root), environment(part))


def test_a_device_whose_name_only_the_way_knows_gets_it(
    open_: Opener, link: ShellLink, part: Part
) -> None:
    link.board = "a phone"
    device = open_(link, environment(part))
    assert device.run(Spec(), lambda progress: None).environment.board == "a phone"


def test_two_hosts_on_one_device(open_: Opener, link: ShellLink, part: Part) -> None:
    first = open_(link, environment(part))
    second = ShellLink(link.root)
    with pytest.raises(BenchError, match=f"^the board is taken by {this_host()}, for [0-9]+ min"):
        open_(second, environment(part), environment(part))
    assert second.closed
    assert not link.closed
    first.run(Spec(), lambda progress: None)


def test_a_failure_once_it_runs_lets_the_device_go(
    open_: Opener, link: ShellLink, part: Part
) -> None:
    class Nameless(ShellLink):
        def own_name(self) -> str | None:
            raise BenchError("it says no name")

    nameless = Nameless(link.root)
    with pytest.raises(BenchError, match=r"^it says no name$"):
        open_(nameless, environment(part))
    assert nameless.closed
    open_(link, environment(part))  # nobody holds it


@pytest.mark.parametrize("machine", ["armv7l", "armv6l", "i686"])
def test_a_32_bit_kernel_is_refused(tmp_path: Path, machine: str) -> None:
    survey = replace(look(ShellLink(tmp_path)).survey, machine=machine)
    with pytest.raises(BenchError, match=rf"runs a 32-bit kernel \({machine}\).*64-bit") as caught:
        check_kernel(survey, "the board")
    assert caught.value.usage


def test_a_device_that_is_refused_gets_nothing(open_: Opener, tmp_path: Path, part: Part) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "uname").write_text("#!/bin/sh\necho armv7l\n")
    (programs / "uname").chmod(0o755)
    link = ShellLink(tmp_path / "root", PATH=f"{programs}:/usr/bin:/bin")
    with pytest.raises(BenchError, match="32-bit kernel"):
        open_(link, environment(part))
    assert not link.root.exists()
    assert link.closed


@pytest.mark.parametrize("machine", ["aarch64", "arm64", "armv8l", "x86_64"])
def test_other_kernels_may_do(tmp_path: Path, machine: str) -> None:
    check_kernel(replace(look(ShellLink(tmp_path)).survey, machine=machine), "the board")
