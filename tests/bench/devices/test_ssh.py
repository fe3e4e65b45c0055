"""What of SSH needs no server: how commands are quoted, and what ssh's words mean."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_command import BenchCommand
from shufflenet_deploy.bench.devices.agent_client import DeviceLostError
from shufflenet_deploy.bench.devices.board import Board
from shufflenet_deploy.bench.devices.link import ask, script
from shufflenet_deploy.bench.devices.ssh import SshLink, explain, probe_ssh
from shufflenet_deploy.runtime.errors import BenchError
from waiting import HANG_SECONDS


def a_board(**values: object) -> Board:
    return Board(**{"name": "pi", "title": "a Pi", "kind": "ssh", "host": "pi.invalid", **values})  # type: ignore[arg-type]


@pytest.fixture
def link() -> Iterator[SshLink]:
    link = SshLink(a_board())
    yield link
    link.close()


def there(command: str, opening: bytes, **variables: str) -> str:
    """What the user's shell there makes of the command, and sh then."""
    said = subprocess.run(
        ["bash", "--norc", "-c", command],
        input=opening,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        check=True,
    ).stdout
    return said.decode()


@pytest.mark.parametrize(
    ("variables", "root"),
    [
        ({"HOME": "/home/pi"}, "/home/pi/.cache"),
        ({"HOME": '/it\'s; a "$HOME" `id`'}, '/it\'s; a "$HOME" `id`/.cache'),
        ({"HOME": "/home/pi", "XDG_CACHE_HOME": "/var/a cache"}, "/var/a cache"),
        # A relative one is to be ignored, says the specification.
        ({"HOME": "/home/pi", "XDG_CACHE_HOME": "cache"}, "/home/pi/.cache"),
        ({"HOME": "/home/pi", "XDG_CACHE_HOME": ""}, "/home/pi/.cache"),
    ],
)
def test_the_folder_is_that_of_the_specification(
    link: SshLink, variables: dict[str, str], root: str
) -> None:
    script = 'printf %s "$root"'
    *_, command = link.command(script)
    assert there(command, link.opening(script), **variables) == f"{root}/shufflenet-deploy"


@given(st.text(st.characters(exclude_characters="\0\r", codec="utf-8")), st.binary(max_size=50))
@settings(max_examples=30, deadline=None)
def test_a_script_arrives_as_it_is_and_so_does_what_follows(text: str, data: bytes) -> None:
    link = SshLink(a_board())
    script = f"cat <<'end of it'\n{text}\nend of it\ncat"
    *_, command = link.command(script)
    opening = link.opening(script)
    link.close()
    done = subprocess.run(
        ["sh", "-c", command], input=opening + data, capture_output=True, check=True
    )
    assert done.stdout == f"{text}\n".encode() + data


def test_what_a_login_shell_reads_is_one_plain_line(link: SshLink) -> None:
    commands = {tuple(link.command(script(name))) for name in ("survey.sh", "place.sh")}
    ((*_, command),) = commands  # the same whatever the script is
    assert command.isascii()
    assert not set(command) & set("\n\t!`\\")
    assert shlex.split(command)[:3] == ["exec", "sh", "-c"]


def test_the_host_is_never_taken_for_an_option(link: SshLink) -> None:
    command = list(link.command("true"))
    assert command[-3:-1] == ["--", "pi.invalid"]
    assert "BatchMode=yes" in command
    assert not [word for word in command if "StrictHostKeyChecking" in word]


def test_port_and_configuration_are_those_of_the_board(tmp_path: Path) -> None:
    link = SshLink(a_board(port=2222, ssh_config="~/a config"))
    command = list(link.command("true"))
    link.close()
    assert command[command.index("-p") + 1] == "2222"
    assert command[command.index("-F") + 1] == str(Path("~/a config").expanduser())


def test_a_board_without_a_host_is_wrong_usage() -> None:
    with pytest.raises(BenchError, match="board pi has no host: give it one") as caught:
        SshLink(a_board(host=None))
    assert caught.value.usage


def test_a_host_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    board = a_board(ssh_config=str(tmp_path / "config"))
    with pytest.raises(BenchError, match=r"^there is no host pi.invalid: .*`host` in your device"):
        probe_ssh(board)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """One that is taken, lest another test's server gets it, and that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_host_that_refuses_is_one_line_of_the_command(tmp_path: Path, closed_port: int) -> None:
    toml = f'[pi]\ntitle = "a Pi"\nkind = "ssh"\nhost = "127.0.0.1"\nport = {closed_port}\n'
    (tmp_path / "x.onnx").write_bytes(b"")
    command = BenchCommand.with_boards(tmp_path, toml, {})
    outcome = command.run(tmp_path / "x.onnx", "--device", "pi")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr == (
        "error: 127.0.0.1 refuses connections: enable its SSH server (on a Raspberry Pi: "
        "raspi-config), or name its port as `port` in your devices.toml\n"
    )


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"ssh_config.*no such config"):
        probe_ssh(a_board(ssh_config=str(tmp_path / "no such config")))


def test_a_configuration_that_is_broken_is_shown(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Hots pi\n")
    with pytest.raises(BenchError, match=r"does not understand.*line 1.*hots"):
        probe_ssh(a_board(ssh_config=str(tmp_path / "config")))


def test_a_server_that_is_none_is_not_waited_for_long(tmp_path: Path) -> None:
    """It takes the connection and ends it, as one that has too many of them."""
    server = (
        "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "print(server.getsockname()[1], flush=True)\nserver.accept()[0].close()"
    )
    with subprocess.Popen([sys.executable, "-c", server], stdout=subprocess.PIPE) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        (tmp_path / "config").write_text("")
        board = a_board(host="127.0.0.1", port=port, ssh_config=str(tmp_path / "config"))
        with pytest.raises(DeviceLostError, match=r"^the connection to 127\.0\.0\.1 was lost \("):
            probe_ssh(board)
        process.wait(HANG_SECONDS)


_PERMISSIONS = """\
@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @
Permissions 0644 for '/home/me/.ssh/id' are too open.
pi@pi: Permission denied (publickey).
"""
_CHANGED = """\
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Host key verification failed.
"""


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("pi@pi: Permission denied (publickey,password).", r"ssh-copy-id pi, or name the user"),
        (_PERMISSIONS, r"chmod 600"),
        (_CHANGED, r"another host key.*ssh-keygen -R pi"),
        ("Host key verification failed.", r"not known yet: connect once by ssh pi"),
        ("ssh: connect to host pi port 22: No route to host", r"pi does not answer"),
        ("ssh: connect to host pi port 22: Connection timed out", r"pi does not answer"),
        ("Received disconnect: Too many authentication failures", r"IdentityFile"),
    ],
)
def test_what_ssh_says_is_told_with_the_remedy(said: str, meaning: str) -> None:
    error = explain("pi", said)
    assert not isinstance(error, DeviceLostError)
    with pytest.raises(BenchError, match=meaning):
        raise error


@given(st.text())
def test_whatever_ssh_says_becomes_one_line_that_names_the_host(said: str) -> None:
    text = str(explain("pi4.local", said))
    assert "pi4.local" in text
    assert "\n" not in text


def test_a_script_that_fails_is_no_failure_of_the_way(link: SshLink) -> None:
    assert link.failure(1, "Permission denied") is None
    assert isinstance(link.failure(255, "Connection to pi closed."), DeviceLostError)


def test_ssh_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchError, match="install OpenSSH"):
        SshLink(a_board())


def test_nothing_is_left_of_a_way(link: SshLink) -> None:
    folder = Path(link._folder.name)
    assert folder.is_dir()
    with pytest.raises(BenchError):
        ask(link, "true")
    link.close()
    assert not folder.exists()
