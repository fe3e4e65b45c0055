"""A device over SSH, by the OpenSSH client of this system.

The user's own configuration, agent, jump hosts and known hosts are honoured (ssh_config(5)), and
host keys are never ignored. All commands share one connection.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from shufflenet_deploy.bench.devices.agent_client import DeviceLostError
from shufflenet_deploy.bench.devices.board import Board
from shufflenet_deploy.bench.devices.link import ask, last_line
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.bench.devices.remote import RemoteDevice
from shufflenet_deploy.runtime import system
from shufflenet_deploy.runtime.errors import BenchError

_OPTIONS = (
    # Nobody is asked for a password: this may run where nobody is.
    "BatchMode=yes",
    "ConnectTimeout=10",
    # A board that was switched off says no goodbye; found out within 30 s.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=6",
    "RequestTTY=no",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
)
_SHARED = (
    "ControlMaster=auto",
    # Should this process be killed, the connection does not outlive it by long.
    "ControlPersist=60",
)
_CONNECTION_FAILED = 255
"""The exit code of ssh itself (ssh(1)); a script that ends so would say something."""
_ROOT = (
    "root=${XDG_CACHE_HOME-}\n"
    # As the specification has it, and `bench/folders.py`.
    "case $root in /*) ;; *) root=$HOME/.cache ;; esac\n"
    "root=$root/shufflenet-deploy\n"
)
# One line in which no login shell reads anything in its own way: csh takes no end of a line within
# quotes. Byte by byte, since what follows the script is the script's.
_READ_SCRIPT = "exec sh -c 'read -r size; eval \"$(dd bs=1 count=$size 2>/dev/null)\"'"
_EXIT_SECONDS = 5.0
_PROBE_SECONDS = 15.0
_WHO = "cat /proc/device-tree/model 2>/dev/null || uname -snm"
"""The command by which a device says what it is; a PC has no device tree, and tells its system."""


def open_ssh(board: Board, options: DeviceOptions) -> RemoteDevice:
    """The device that `board` tells how to reach."""
    from shufflenet_deploy.bench.provision.choose import install_for

    return RemoteDevice(SshLink(board), options, install_for)


def probe_ssh(board: Board) -> str:
    """What the device that `board` tells how to reach says of itself."""
    link = SshLink(board)
    try:
        return last_line(ask(link, _WHO, seconds=_PROBE_SECONDS)).rstrip("\0")
    finally:
        link.close()


class SshLink:
    """A `Link` by ssh."""

    def __init__(self, board: Board) -> None:
        if board.host is None:
            raise BenchError(
                f"board {board.name} has no host: give it one in your devices.toml", usage=True
            )
        program = shutil.which("ssh")
        if program is None:
            raise BenchError("there is no ssh on this machine: install OpenSSH's client")
        self._host = board.host
        self.name = f"{board.host} over ssh"
        # A path of its own, and a short one: that of a socket may have a hundred letters.
        self._folder = tempfile.TemporaryDirectory(prefix="shufflenet-", dir=_short_folder())
        options: tuple[str, ...] = _OPTIONS
        if system.shares_connections():  # else each command has its own
            options += (*_SHARED, f"ControlPath={self._folder.name}/s")
        self._ssh = [program, *(word for option in options for word in ("-o", option))]
        if board.port is not None:
            self._ssh += ["-p", str(board.port)]
        if board.ssh_config is not None:
            self._ssh += ["-F", str(Path(board.ssh_config).expanduser())]

    def command(self, script: str) -> Sequence[str]:
        """See `Link.command`. Whatever shell the user has there, `sh` runs the script."""
        return [*self._ssh, "--", self._host, _READ_SCRIPT]

    def opening(self, script: str) -> bytes:
        """See `Link.opening`: how many bytes the script has, and the script."""
        content = (_ROOT + script).encode()
        return b"%d\n%b" % (len(content), content)

    def failure(self, code: int, said: str) -> BenchError | None:
        """See `Link.failure`."""
        if code != _CONNECTION_FAILED:
            return None
        return explain(self._host, said)

    def own_name(self) -> None:
        """See `Link.own_name`: its device tree tells."""

    def close(self) -> None:
        """See `Link.close`."""
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [*self._ssh, "-O", "exit", "--", self._host],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_EXIT_SECONDS,
            )
        self._folder.cleanup()


def explain(host: str, said: str) -> BenchError:
    """What ssh's own words mean to a user, with the remedy."""
    for words, meaning in _MEANINGS.items():
        if words in said:
            line = next((line for line in said.splitlines() if words in line), words).strip()
            return BenchError(meaning.format(host=host, line=line))
    return DeviceLostError(
        f"the connection to {host} was lost ({last_line(said) or 'ssh says no more'})"
    )


_MEANINGS = {
    # Both failures of a host key end with the same line, so the longer words come first.
    "REMOTE HOST IDENTIFICATION HAS CHANGED": (
        "{host} has another host key than it had: if its system was installed anew, forget the old "
        "key by ssh-keygen -R {host} and connect once by ssh {host}; else somebody may be in "
        "between"
    ),
    "Host key verification failed": (
        "the host key of {host} is not known yet: connect once by ssh {host} and accept it"
    ),
    "Could not resolve hostname": (
        "there is no host {host}: is it switched on and in this network? name its address as "
        "`host` in your devices.toml"
    ),
    "Connection refused": (
        "{host} refuses connections: enable its SSH server (on a Raspberry Pi: raspi-config), or "
        "name its port as `port` in your devices.toml"
    ),
    "No route to host": "{host} does not answer: is it switched on and in this network?",
    "Network is unreachable": "{host} cannot be reached: is this machine in its network?",
    "Connection timed out": "{host} does not answer: is it switched on and in this network?",
    "Operation timed out": "{host} does not answer: is it switched on and in this network?",
    "UNPROTECTED PRIVATE KEY FILE": (
        "ssh does not use the key for {host}, which others may read: chmod 600 it ({line})"
    ),
    "Permission denied": (
        "{host} does not let this user in, and passwords are not asked for: set up a key by "
        "ssh-copy-id {host}, or name the user as user@host in your devices.toml"
    ),
    "Too many authentication failures": (
        "{host} was offered too many keys: name the right one by IdentityFile in ~/.ssh/config"
    ),
    "Bad configuration option": (
        "ssh does not understand its configuration for {host} ({line}): mend it"
    ),
    "Bad owner or permissions": (
        "ssh does not trust its configuration for {host} ({line}): chmod 600 it"
    ),
    "Can't open user config file": (
        "the ssh_config that your devices.toml names for {host} cannot be read ({line})"
    ),
}


def _short_folder() -> str | None:
    return "/tmp" if Path("/tmp").is_dir() else None
