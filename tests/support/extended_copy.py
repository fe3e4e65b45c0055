"""A copy of this project with a format and two engines that it does not have, really installed.

What is added are the files below ``tests/proof``, which lie there as they do in the source, and the
rows below, as text. The copy has a Python of its own, and borrows all other packages from this one.
"""

from __future__ import annotations

import difflib
import filecmp
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from documents import ROOT
from shufflenet_deploy.bench.provision.cache import locked
from waiting import HANG_SECONDS

FOLDERS = ("bench", "export", "models", "runtime")
_SOURCE = (*FOLDERS, "src", "pyproject.toml", "README.md", "LICENSE")
_ADDITIONS = (ROOT / "tests/proof/plainnet", ROOT / "tests/proof/second")

_FORMATS = "runtime/formats.py"
_ENGINES = "runtime/engines/__init__.py"
_EMITTERS = "export/formats/__init__.py"
_LAST_FORMAT = (
    '        Format(name="tflite", files=(".tflite",), layout="NHWC", engines=("litert",)),\n'
)
_LAST_ENGINE = '            native_runner="benchmark_model",\n        ),\n'
_LAST_EMITTER = '    "tflite": _in("tflite"),\n'
_FORMAT = """\
        Format(
            name="plainnet",
            files=(".plainnet", ".npz"),
            layout="NCHW",
            engines=("plainnet",),
        ),
"""
_ENGINE = """\
        Engine(
            name="plainnet",
            title="Plainnet",
            distributions=(),
            open=_at("plainnet", "PlainnetSession"),
        ),
"""
_SECOND_ENGINE = """\
        Engine(
            name="second",
            title="Second",
            distributions=(),
            open=_at("second", "SecondSession"),
        ),
"""
_EMITTER = '    "plainnet": _in("plainnet"),\n'
_ROWS = (
    (_FORMATS, _LAST_FORMAT, _LAST_FORMAT + _FORMAT),
    (_ENGINES, _LAST_ENGINE, _LAST_ENGINE + _ENGINE + _SECOND_ENGINE),
    (_EMITTERS, _LAST_EMITTER, _LAST_EMITTER + _EMITTER),
    (_FORMATS, 'engines=("onnxruntime",)', 'engines=("onnxruntime", "second")'),
)
"""File, what stands there, what stands there in the copy."""

_OUTER = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
"""With that, the copy's commands would import what the tests do."""


@dataclass(frozen=True)
class ExtendedCopy:
    """The copy in `folder`: its source, and the environment in which it is installed."""

    folder: Path

    @property
    def source(self) -> Path:
        """What was copied, and what was added."""
        return self.folder / "source"

    @property
    def environment(self) -> Path:
        """The virtual environment."""
        return self.folder / "environment"

    @property
    def installed(self) -> Path:
        """Where the packages of `FOLDERS` are installed."""
        (package,) = self.environment.glob("lib/python3.*/site-packages/shufflenet_deploy")
        return package

    def run(
        self, command: str, *words: str | Path, **variables: str | Path
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the copy in `folder`, as if its environment were active."""
        cache = self.folder / f"cache-{os.getpid()}"  # of its lock, with which only one may measure
        own = {"COLUMNS": "200", "XDG_CACHE_HOME": str(cache)}
        return subprocess.run(
            [self.environment / "bin" / command, *map(str, words)],
            cwd=self.folder,
            env={**_OUTER, **own, **{name: str(value) for name, value in variables.items()}},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
        )

    def done(self, command: str, *words: str | Path, **variables: str | Path) -> str:
        """The same for one that has to succeed; its stdout."""
        done = self.run(command, *words, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, command: str, *words: str | Path) -> str:
        """The same for one that has to be refused as wrong usage; its only line."""
        done = self.run(command, *words)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        (line,) = done.stderr.splitlines()
        return line


def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of the tests share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "extended"
    folder.mkdir(exist_ok=True)
    return folder


def extended_copy(folder: Path) -> ExtendedCopy:
    """The copy in `folder`, made by whichever process comes first."""
    copy = ExtendedCopy(folder / "copy")
    ready = folder / "ready"
    with locked(folder):
        if not ready.exists():
            shutil.rmtree(copy.folder, ignore_errors=True)
            _write_source(copy.source)
            _install(copy)
            ready.touch()
    return copy


def _write_source(source: Path) -> None:
    for name in _SOURCE:
        original = ROOT / name
        if original.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(original, source / name, symlinks=True, ignore=ignored)
        else:
            shutil.copyfile(original, source / name)
    for addition in _ADDITIONS:
        shutil.copytree(
            addition, source, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name, before, after in _ROWS:
        text = (source / name).read_text()
        assert text.count(before) == 1, f"{name} has no more the row {before!r}"
        (source / name).write_text(text.replace(before, after))


def _install(copy: ExtendedCopy) -> None:
    venv.create(copy.environment, with_pip=False, symlinks=True)
    (packages,) = copy.environment.glob("lib/python3.*/site-packages")
    # Their .pth files are not read so: this project's own, editable, is not among the packages.
    outer = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (packages / "outer.pth").write_text("".join(f"{path}\n" for path in outer))
    python = copy.environment / "bin/python"
    options = ("--no-deps", "--no-build-isolation", "--ignore-installed", "--no-index", "--quiet")
    done = subprocess.run(
        [python, "-m", "pip", "install", *options, "--disable-pip-version-check", copy.source],
        env={**_OUTER, "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0, done.stderr


def changes(copy: ExtendedCopy) -> tuple[set[str], dict[str, list[str]]]:
    """What tells the copy's source from this project's: new files, and changed lines by file."""
    new: set[str] = set()
    changed: dict[str, list[str]] = {}
    for name in _SOURCE:
        if (ROOT / name).is_file():
            assert filecmp.cmp(ROOT / name, copy.source / name, shallow=False), name
    for folder in FOLDERS:
        original, extended = files_below(ROOT / folder), files_below(copy.source / folder)
        assert original <= extended
        new |= {f"{folder}/{name}" for name in extended - original}
        for name in original:
            lines = [
                (root / folder / name).read_bytes().decode(errors="replace").splitlines(True)
                for root in (ROOT, copy.source)
            ]
            if lines[0] != lines[1]:
                changed[f"{folder}/{name}"] = list(_changed(*lines))
    return new, changed


def _changed(before: list[str], after: list[str]) -> Iterator[str]:
    """``-`` and ``+`` before the lines that went and came."""
    for line in difflib.ndiff(before, after):
        if line[:2] in ("- ", "+ "):
            yield line[0] + line[2:].rstrip("\n")


def files_below(folder: Path) -> set[str]:
    """The files below `folder`, by their paths from there, without Python's bytecode."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def added_lines(name: str) -> list[str]:
    """What `changes` tells of the file `name` where only the rows were added."""
    rows = {
        _FORMATS: _FORMAT,
        _ENGINES: _ENGINE + _SECOND_ENGINE,
        _EMITTERS: _EMITTER,
    }
    return [f"+{line}" for line in rows[name].splitlines()]


def added_files() -> set[str]:
    """The files that were added, as they are called in the copy."""
    return {name for addition in _ADDITIONS for name in files_below(addition)}
