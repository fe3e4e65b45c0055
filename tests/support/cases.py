"""What all cases share: the proof that one was reached, the mark of one that is wrong today."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_OWN_ERRORS = (1, 2)
"""Exit codes: failed, wrong usage."""


class NotReached(Exception):  # noqa: N818 - what happened, not what is wrong
    """A case did not get to the code that it is about, so that it shows nothing.

    No AssertionError: a case that is wrong today is expected to fail by one, and by nothing else.
    """


def reached(proof: object, what: str) -> None:
    """Raise `NotReached` unless `proof` is true."""
    if not proof:
        raise NotReached(what)


def wrong_today(reason: str) -> pytest.MarkDecorator:
    """Expect an assertion to fail, strictly: who mends what `reason` tells removes the mark.

    Any other exception, `NotReached` among them, is a failure all the same.
    """
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended; what is no UTF-8 is escaped."""

    code: int
    stdout: str
    stderr: str

    @property
    def last_line(self) -> str:
        """Of stderr."""
        return self.stderr.strip().rpartition("\n")[2]

    def require_one_line(self) -> str:
        """Assert that the command failed by one line that is an error; the line."""
        assert "Traceback" not in self.stderr, self.stderr
        errors = [line for line in self.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, self.stderr
        assert self.last_line == errors[0]
        assert self.code in _OWN_ERRORS, f"exit code {self.code}"
        require_plain(errors[0])
        return errors[0]

    def require_success(self) -> None:
        """Assert that the command did what it was asked."""
        assert "Traceback" not in self.stderr, self.stderr
        assert self.code == 0, self.stderr


def require_plain(text: str) -> None:
    """Assert that `text` does nothing to a terminal that shows it."""
    raw = [character for character in text if not character.isprintable() and character != "\n"]
    assert not raw, f"{raw[0]!r} in {text!r}"


@dataclass(frozen=True)
class Bench:
    """A user's folder, and the project's real commands in it."""

    folder: Path
    variables: Mapping[str, str]

    @staticmethod
    def in_folder(folder: Path, **variables: str) -> Bench:
        """Caches and settings are the folder's own, and so is the lock on this machine."""
        return Bench(
            folder,
            {
                "XDG_CACHE_HOME": str(folder / "cache"),
                "XDG_CONFIG_HOME": str(folder / "config"),
                "COLUMNS": "200",
                **variables,
            },
        )

    def environment(self) -> dict[str, str]:
        """Of the commands. A variable that is empty is not set at all."""
        variables = {**os.environ, **self.variables}
        return {name: value for name, value in variables.items() if value}

    def start(
        self,
        command: str,
        *words: str | bytes | Path,
        by: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        """Start `command`, such as ``shufflenet-bench``, and go on; `by` are words before it."""
        return subprocess.Popen(
            [*by, Path(sys.executable).parent / command, *words],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(
        self,
        command: str,
        *words: str | bytes | Path,
        seconds: float = 120.0,
        by: Sequence[str] = (),
    ) -> Said:
        """Run `command` to its end. One that does not end in time is wrong, and is killed."""
        return finish(self.start(command, *words, by=by), seconds)

    def measure(self, *models: str | bytes | Path, out: str = "results.json") -> Said:
        """Measure `models` as briefly as can be."""
        brief = ("--rounds", "2", "--processes", "1", "--out", out)
        return self.run("shufflenet-bench", *models, *brief)

    def work(self, spec: bytes, seconds: float = 60.0) -> Said:
        """Have a worker carry out `spec`."""
        worker = subprocess.Popen(
            [sys.executable, "-m", "shufflenet_deploy.runtime"],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return finish(worker, seconds, spec)


def finish(process: subprocess.Popen[bytes], seconds: float, given: bytes | None = None) -> Said:
    """Wait until `process` ends. One that does not end in time is wrong, and is killed."""
    try:
        stdout, stderr = process.communicate(given, timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        _, stderr = process.communicate()
        raise AssertionError(f"no end in {seconds:.0f} s: {_text(stderr)}") from None
    return Said(process.returncode, _text(stdout), _text(stderr))


def _text(said: bytes | None) -> str:
    return (said or b"").decode(errors="backslashreplace")
