"""This machine's own shell as the way to a device, for what needs no other machine."""

from __future__ import annotations

import shlex
import site
import sysconfig
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from shufflenet_deploy.bench.devices.agent_client import DeviceLostError
from shufflenet_deploy.bench.provision import Part
from shufflenet_deploy.bench.provision.parts import pack
from shufflenet_deploy.runtime.errors import BenchError

CUT_OFF = 255
"""How ssh ends where there is no way."""


class ShellLink:
    """A `Link` to `sh`, with `root` and with `variables` in its environment."""

    name = "the board"

    def __init__(self, root: Path, **variables: str) -> None:
        self.root = root
        self.variables: Mapping[str, str] = variables
        self.before = ""
        """What the shell does before it runs a script, as ~/.bashrc may."""
        self.board: str | None = None
        self.closed = False

    def command(self, script: str) -> Sequence[str]:
        """See `Link.command`."""
        pairs = [f"{name}={value}" for name, value in self.variables.items()]
        inner = f"root={shlex.quote(str(self.root))};{script}"
        return ["env", *pairs, "sh", "-c", f"{self.before}\nexec sh -c {shlex.quote(inner)}"]

    def opening(self, script: str) -> bytes:
        """See `Link.opening`."""
        return b""

    def failure(self, code: int, said: str) -> BenchError | None:
        """See `Link.failure`."""
        return DeviceLostError(f"the way to {self.name} was lost") if code == CUT_OFF else None

    def own_name(self) -> str | None:
        """See `Link.own_name`."""
        return self.board

    def close(self) -> None:
        """See `Link.close`."""
        self.closed = True


def whole_part(folder: Path) -> Part:
    """A part with all that a worker needs, in hardly any bytes: it is what this Python has."""
    tree = folder / "tree"
    tree.mkdir()
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    lines = ["import site", *(f"site.addsitedir({path!r})" for path in sorted(paths))]
    (tree / "sitecustomize.py").write_text("\n".join(lines) + "\n")
    return pack(tree, "everything", folder)


def broken_archive(part: Part) -> None:
    """Have a part that arrives in part only."""
    content = part.archive.read_bytes()
    part.archive.write_bytes(content[: len(content) // 2])


def names(part: Part) -> list[str]:
    """What a part holds."""
    with tarfile.open(part.archive) as tar:
        return tar.getnames()
