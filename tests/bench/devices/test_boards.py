from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.devices import boards
from shufflenet_deploy.bench.devices.board import Board, matches
from shufflenet_deploy.bench.devices.boards import find_board, is_this_machine, load_boards, target
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.environment import Environment

SHIPPED = load_boards(None)
PC = Environment(
    board=None,
    processor="a processor",
    architecture="x86_64",
    cores=4,
    kernel=None,
    total_memory_bytes=None,
    maximum_mhz={},
    python_version="3.11.9",
    package_versions={},
)


def a_pi(name: str, mhz: float | None = None) -> Environment:
    return replace(PC, board=name, maximum_mhz={0: mhz, 1: mhz} if mhz else {})


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's own file."""
    return tmp_path / "devices.toml"


def test_the_boards_that_come_with_the_package() -> None:
    assert list(SHIPPED) == ["local", "rpi3", "rpi4", "rpi5", "android", "emulated"]
    assert [name for name, board in SHIPPED.items() if not board.latency] == ["emulated"]
    assert all(name == board.name for name, board in SHIPPED.items())


@pytest.mark.parametrize(
    ("name", "own_name"),
    [
        ("rpi3", "Raspberry Pi 3 Model B Plus Rev 1.3"),
        ("rpi3", "Raspberry Pi Compute Module 3 Plus Rev 1.0"),
        ("rpi4", "Raspberry Pi 4 Model B Rev 1.5"),
        ("rpi4", "Raspberry Pi 400 Rev 1.0"),
        ("rpi4", "Raspberry Pi Compute Module 4 Rev 1.1"),
        ("rpi5", "Raspberry Pi 5 Model B Rev 1.0"),
        ("rpi5", "Raspberry Pi 500 Rev 1.0"),
        ("rpi5", "Raspberry Pi Compute Module 5 Rev 1.0"),
    ],
)
def test_a_raspberry_pi_is_its_own_board_and_no_other(name: str, own_name: str) -> None:
    matching = {one for one, board in SHIPPED.items() if matches(board, own_name)}
    assert matching == {name}


def test_a_board_that_may_be_any_or_has_no_name_cannot_be_told() -> None:
    assert matches(SHIPPED["local"], "Raspberry Pi 5 Model B Rev 1.0") is None
    assert matches(SHIPPED["rpi5"], None) is None


def test_on_a_raspberry_pi_itself_its_name_means_this_machine() -> None:
    here = a_pi("Raspberry Pi 4 Model B Rev 1.5")
    found = [name for name, board in SHIPPED.items() if is_this_machine(board, here)]
    assert found == ["local", "rpi4"]
    assert [name for name, board in SHIPPED.items() if is_this_machine(board, PC)] == ["local"]


@pytest.mark.parametrize(
    ("board", "mhz", "gflops"),
    [
        ("rpi3", 1200, 9.6),
        ("rpi3", 1400, 11.2),
        ("rpi4", 1500, 11.96),
        ("rpi4", 1800, 14.4),
        ("rpi4", 2000, None),
        ("rpi4", None, None),
        ("rpi5", None, 38.37),
        ("rpi5", 2400, 38.37),
        ("rpi5", 3000, None),
        ("local", 2400, None),
    ],
)
def test_a_published_peak_is_that_of_the_clock(
    board: str, mhz: float | None, gflops: float | None
) -> None:
    found = target(SHIPPED[board], a_pi("a board", mhz))
    assert found.published_peak_gflops == gflops
    assert (found.published_peak_source is None) == (gflops is None)


def test_a_target_says_what_was_asked_for() -> None:
    found = target(SHIPPED["rpi4"], PC)
    assert (found.board, found.kind, found.latency) == ("rpi4", "ssh", True)
    assert found.expected == ("Raspberry Pi 4", "Raspberry Pi Compute Module 4")
    assert not target(SHIPPED["emulated"], PC).latency


def test_a_user_s_file_adds_boards_and_overrides_single_values(own: Path) -> None:
    own.write_text(
        """
        [rpi4]
        host = "pi@192.168.0.7"
        cores = [3]
        [rock5]
        title = "Rock 5B"
        kind = "ssh"
        identity = ["Radxa ROCK 5B"]
        """
    )
    found = load_boards(own)
    assert found["rpi4"] == replace(SHIPPED["rpi4"], host="pi@192.168.0.7", cores=(3,))
    assert found["rock5"] == Board(
        name="rock5", title="Rock 5B", kind="ssh", identity=("Radxa ROCK 5B",)
    )
    assert list(found) == [*SHIPPED, "rock5"]


def test_a_user_without_a_file_has_the_boards_of_the_package(own: Path) -> None:
    assert load_boards(own) == SHIPPED


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[rpi4", "it is not TOML"),
        ("host = 'pi'", "host stands outside of any board"),
        ("[rpi4]\nhots = 'pi'", "board rpi4: .*unknown field `hots`"),
        ("[rpi4]\nname = 'rpi5'", "board rpi4: `name`"),
        ("[rpi4]\nhost = ''", r"board rpi4: .*\$.host"),
        ("[rpi4]\ncores = [-1]", r"board rpi4: .*\$.cores"),
        ("[mine]\ntitle = 'my board'", "board mine: .*missing required field `kind`"),
        (
            "[mine]\ntitle = 'my board'\nkind = 'telnet'",
            "board mine: unknown kind 'telnet': choose from local, ssh",
        ),
        ("[emulated]\nlatency = true", "board emulated: .*latency = false"),
        ("[[rpi5.peaks]]\nmhz = 0\ngflops = 1\nsource = 'me'", r"board rpi5: .*\$.peaks"),
    ],
)
def test_a_broken_file_is_wrong_usage_that_says_what_is_wrong(
    own: Path, text: str, what: str
) -> None:
    own.write_text(text)
    with pytest.raises(BenchError, match=f"{own} describes your own boards .* {what}") as caught:
        load_boards(own)
    assert caught.value.usage


def test_a_file_that_is_no_text_or_cannot_be_read_is_broken(own: Path) -> None:
    own.write_bytes(b"[rpi4]\nhost = '\xff'")
    with pytest.raises(BenchError, match="is broken: it is not TOML"):
        load_boards(own)
    with pytest.raises(BenchError, match="is broken: it cannot be read: Is a directory"):
        load_boards(own.parent)


def test_an_unknown_board_is_wrong_usage_and_the_known_are_named(own: Path) -> None:
    with pytest.raises(BenchError, match=f"unknown device 'rpi': .* rpi3, .* in {own}") as caught:
        find_board("rpi", own)
    assert caught.value.usage


def test_the_user_s_file_lies_in_the_configuration_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    in_home = tmp_path / ".config/shufflenet-deploy/devices.toml"
    assert boards.user_boards() == in_home
    monkeypatch.setenv("XDG_CONFIG_HOME", "not/absolute")
    assert boards.user_boards() == in_home
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    file = tmp_path / "xdg/shufflenet-deploy/devices.toml"
    assert boards.user_boards() == file
    file.parent.mkdir(parents=True)
    file.write_text("[mine]\ntitle = 'mine'\nkind = 'ssh'")
    assert find_board("mine").title == "mine"
