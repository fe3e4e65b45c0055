"""A device over SSH that is honest until the agent starts, and then is not."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from cases import Bench, reached
from fake_ssh import BOARD, FakeSsh
from hostile_agent import FIRST

_AGENT = Path(__file__).with_name("hostile_agent.py")
# The device's Python. Whatever is started in an environment that it makes is the agent.
_PYTHON = """\
#!/bin/sh
case $* in
    *'-m venv '*)
        for new; do :; done
        mkdir -p "$new/bin" "$new/lib/python3.11/site-packages"
        ln -s {itself} "$new/bin/python"
        exit ;;
    *importlib.util*) exec {python} "$@" ;;
esac
exec {python} {agent} {mode} {answer} {marks}
"""


@dataclass(frozen=True)
class DeviceNeeds:
    """What is slow to make, and the same for all devices."""

    cache: Path
    """The host's, with all that goes to a device."""
    parts: Path
    """What was copied to one: all devices have it in common."""


@dataclass(frozen=True)
class HostileDevice:
    """The board `box` of `bench`, which behaves as `mode` of `hostile_agent` has it."""

    bench: Bench
    mode: str
    marks: Path

    @staticmethod
    def set_up(
        folder: Path, needs: DeviceNeeds, mode: str, answer: str, noise: str = ""
    ) -> HostileDevice:
        """Make it in `folder`. `answer` is an honest worker's; `noise` is what a login prints."""
        ssh = FakeSsh.install(folder, noise=noise, whine=noise)
        root = ssh.home / ".cache" / "shufflenet-deploy"
        root.mkdir(parents=True)
        (root / "parts").symlink_to(needs.parts)
        marks = folder / "marks"
        marks.mkdir()
        (folder / "answer.json").write_text(answer)
        python = ssh.programs / "python3"
        words = {
            "itself": python,
            "python": sys.executable,
            "agent": _AGENT,
            "mode": mode,
            "answer": folder / "answer.json",
            "marks": marks,
        }
        quoted = {name: shlex.quote(str(word)) for name, word in words.items()}
        python.write_text(_PYTHON.format(**quoted))
        python.chmod(0o755)
        boards = folder / "config" / "shufflenet-deploy"
        boards.mkdir(parents=True)
        (boards / "devices.toml").write_text(BOARD)
        bench = Bench.in_folder(
            folder, PATH=f"{ssh.folder}:/usr/bin:/bin", XDG_CACHE_HOME=str(needs.cache)
        )
        return HostileDevice(bench, mode, marks)

    def words(self, artifact: Path) -> list[str | Path]:
        """Of the command that measures `artifact` there."""
        brief = ["--rounds", "4", "--processes", "1", "--out", "results.json"]
        return [artifact, "--device", "box", *brief]

    def require_reached(self) -> None:
        """Raise `NotReached` unless the agent started and, in most modes, was given work."""
        reached((self.marks / "started").exists(), "the hostile agent was never started")
        asked = (self.marks / "asked").exists()
        reached(asked or self.mode in FIRST, "the hostile agent was never asked for work")
