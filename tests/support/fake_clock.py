"""A wall clock that a test sets for some programs alone, on this machine or an emulated board."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_suffix(".c")


@dataclass(frozen=True)
class FakeClock:
    """A clock that is off by the seconds that stand in `file`."""

    file: Path

    def move(self, seconds: int) -> None:
        """Set it: so far from the right time."""
        # It is looked at at any moment, and must never be seen empty.
        new = self.file.with_suffix(".new")
        new.write_text(str(seconds))
        new.chmod(0o644)
        new.rename(self.file)


def variables(library: str | Path, file: str | Path) -> dict[str, str]:
    """What has programs look at the clock of `file`, by the `library`."""
    return {"LD_PRELOAD": str(library), "FAKE_CLOCK": str(file)}


def build(library: Path, compiler: str = "gcc") -> Path:
    """The library, made by `compiler`; skips the test without one."""
    if not shutil.which(compiler):
        pytest.skip(f"needs {compiler}, of Debian's package of that name")
    command = [compiler, "-O1", "-shared", "-fPIC", "-nostdlib", "-ffreestanding"]
    subprocess.run([*command, "-o", str(library), str(_SOURCE)], check=True)
    return library
