"""QEMU's user mode on this host, and our plugin for it, compiled when it is first needed."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from shufflenet_deploy.bench.provision.cache import host_cache
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import staged

PROGRAM = "qemu-aarch64"
_SECOND_INTERFACE = (9, 0)
"""The first version of QEMU that no longer takes plugins of the first interface."""
_SECONDS = 120.0
_FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-fvisibility=hidden")


@dataclass(frozen=True)
class Qemu:
    """The emulator."""

    path: str
    version: str
    has_plugins: bool


@cache
def find_qemu() -> Qemu:
    """The QEMU on PATH. Raises `BenchError` where there is none that starts."""
    path = shutil.which(PROGRAM) or shutil.which(f"{PROGRAM}-static")
    if path is None:
        raise BenchError(
            f"emulation needs {PROGRAM}, which is not on PATH: apt-get install qemu-user"
        )
    match = re.search(r"version (\d+\.\d+[.\d]*)", _output(path, "--version"))
    if match is None:
        raise BenchError(f"{path} does not say its version: install qemu-user again")
    return Qemu(path, match[1], has_plugins="-plugin" in _output(path, "--help"))


def plugin(qemu: Qemu) -> Path:
    """Our plugin for `qemu`. Raises `BenchError` where it cannot be made or used."""
    if not qemu.has_plugins:
        raise BenchError(
            f"{qemu.path} takes no plugins, which count instructions: apt-get install qemu-user, "
            "the one that is not static"
        )
    source = files("shufflenet_deploy.bench.emulation").joinpath("plugin.c").read_text("utf-8")
    interface = 2 if _numbers(qemu.version) >= _SECOND_INTERFACE else 1
    key = hashlib.sha256(f"{interface}\0{_FLAGS}\0{source}".encode()).hexdigest()
    built = host_cache() / "plugins" / f"{key}.so"
    if not built.exists():
        built.parent.mkdir(exist_ok=True)
        with staged(built) as temporary:
            compile_plugin(source, temporary, f"-DQEMU_PLUGIN_VERSION={interface}")
    return built


def compile_plugin(source: str, target: Path, *options: str) -> None:
    """Compile the plugin. Raises `BenchError` where that is impossible."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise BenchError(
            "counting needs a C compiler, to make a plugin for QEMU: apt-get install gcc libc6-dev"
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plugin.c"
        file.write_text(source)
        command = [compiler, *_FLAGS, *options, str(file), "-o", str(target)]
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if ended.returncode:
        said = " ".join(ended.stderr.split())[:300]
        raise BenchError(f"{compiler} does not compile the plugin for QEMU: {said}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.strip(".").split(".")))


def _output(path: str, option: str) -> str:
    try:
        ended = subprocess.run(
            [path, option], capture_output=True, text=True, errors="replace", timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{path} does not start: {error}; install qemu-user again") from None
    return ended.stdout
