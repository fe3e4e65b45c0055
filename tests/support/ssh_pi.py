"""A Raspberry Pi over SSH that can be switched off and on, and what runs on it.

Its ~/.bashrc prints noise, and its governor needs sudo.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from arm_root import ArmBoard, arm_board
from waiting import processes, wait_until

AGENT = "shufflenet_deploy.runtime.agent"
WORKER = "shufflenet_deploy.runtime\0"  # its last word
BOARDS = """\
[pi]
title = "a Pi"
kind = "ssh"
host = "board"
ssh_config = "{config}"
"""
"""The user's table of boards, with `ArmBoard.ssh_config`."""
_BASHRC = "printf 'Welcome to this board: '\n"
# Stands for root: the governor's file can be written by its owner only after this.
_SUDO = """\
#!/bin/sh
[ "$1 $2" = "-n tee" ] || exit 1
chmod u+w "$3" && tee "$3" && chmod u-w "$3"
"""


class Pi:
    """A board that can be switched off and on, and keeps what is on its disk.

    `variables` are set for all that is run over ssh.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._variables = variables
        self._running = ExitStack()
        self.on()

    def off(self) -> None:
        self._running.close()

    def on(self) -> None:
        self.board = self._running.enter_context(started(self._folder, self._variables))


@contextmanager
def started(folder: Path, variables: Mapping[str, str] | None = None) -> Iterator[ArmBoard]:
    """The board of `folder`, as it is set up there or was before."""
    with arm_board(folder, commands={"sudo": _SUDO}, variables=variables) as board:
        (board.home / ".bashrc").write_text(_BASHRC)
        os.chown(governor(board), 1000, 1000)
        governor(board).chmod(0o444)
        yield board


def governor(board: ArmBoard) -> Path:
    """The file of the only frequency policy's governor; ``ondemand`` when it is found."""
    return board.folder / "sys/devices/system/cpu/cpufreq/policy0/scaling_governor"


def running(board: ArmBoard, words: str) -> list[int]:
    """Processes of ours on the board, whose command has `words`."""
    return processes(f" {board.port}\0".encode(), words)


def await_left(board: ArmBoard) -> None:
    """Until the board is as it was found."""
    wait_until(lambda: not running(board, "shufflenet_deploy.runtime"))
    assert governor(board).read_text().strip() == "ondemand"
    assert not (board.home / ".cache/shufflenet-deploy/governor.json").exists()


def cut(board: ArmBoard) -> None:
    """End the connection of the agent, at the board's end."""
    (agent,) = running(board, AGENT)
    status = Path(f"/proc/{agent}/status").read_text()
    (parent,) = (line.split()[1] for line in status.splitlines() if line.startswith("PPid:"))
    os.kill(int(parent), signal.SIGKILL)
