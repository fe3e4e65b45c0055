"""The real command line, for tests that look at what a user would see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_cache import shared_folder
from waiting import HANG_SECONDS, wait_until


@dataclass(frozen=True)
class Outcome:
    """What the command did."""

    code: int
    stdout: str
    stderr: str
    results: dict[str, Any]

    @property
    def last_line(self) -> str:
        """Of stderr: an error, where there was one."""
        return self.stderr.strip().rpartition("\n")[2]


@dataclass(frozen=True)
class BenchCommand:
    """`shufflenet-bench` with boards of the test's own, described in `folder`."""

    folder: Path
    variables: Mapping[str, str]

    @classmethod
    def with_boards(cls, folder: Path, toml: str, variables: Mapping[str, str]) -> BenchCommand:
        """Write the boards' file."""
        own = folder / "shufflenet-deploy"
        own.mkdir(exist_ok=True, parents=True)
        (own / "devices.toml").write_text(toml)
        return cls(folder, variables)

    @property
    def out(self) -> Path:
        """Where the results go."""
        return self.folder / "results.json"

    def start(self, *words: str | Path, errors: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start it, and go on."""
        return subprocess.Popen(
            [sys.executable, "-m", "shufflenet_deploy.bench", *map(str, words)],
            env={
                **os.environ,
                "XDG_CONFIG_HOME": str(self.folder),
                "XDG_CACHE_HOME": str(shared_folder()),
                "COLUMNS": "200",
                **self.variables,
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )

    def run(self, *words: str | Path) -> Outcome:
        """Run it to its end."""
        return self.finish(self.start(*words))

    def await_samples(self, process: subprocess.Popen[str]) -> None:
        """Wait until the file holds what was measured of the first model alone, or it has ended."""
        wait_until(lambda: process.poll() is not None or self._has_samples())

    def _has_samples(self) -> bool:
        # It is replaced, never written to: what is there is whole.
        return self.out.exists() and bool(json.loads(self.out.read_text())["models"][0]["probe"])

    def finish(self, process: subprocess.Popen[str]) -> Outcome:
        """Wait for its end."""
        stdout, stderr = process.communicate(timeout=HANG_SECONDS)
        results = json.loads(self.out.read_text()) if self.out.exists() else {}
        return Outcome(process.returncode, stdout, stderr or "", results)

    def measure(self, device: str, artifacts: Sequence[Path], *options: str) -> Outcome:
        """Measure `artifacts` anew, as briefly as can be."""
        self.out.unlink(missing_ok=True)
        return self.run(*self.measuring(device, artifacts, *options))

    def measuring(self, device: str, artifacts: Sequence[Path], *options: str) -> list[str | Path]:
        """The words for that."""
        brief = ("--rounds", "2", "--processes", "1", "--out", str(self.out))
        return [*artifacts, "--device", device, *brief, *options]
