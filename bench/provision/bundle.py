"""A Python for ARM64 that needs nothing on the device: loader, C library, interpreter, packages.

Its loader is named when it is started, so that it runs where there is no C library at all, or
another one, such as on a phone. Interpreter and libraries are Debian's.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path

from shufflenet_deploy.bench.provision import PYTHON_RANGE, PYTHON_VERSIONS, Part
from shufflenet_deploy.bench.provision.cache import host_cache
from shufflenet_deploy.bench.provision.debian import fetch, unpack
from shufflenet_deploy.bench.provision.parts import made, project_part, unpacked, wheels_part
from shufflenet_deploy.bench.provision.wheels import Platform, download
from shufflenet_deploy.runtime.engines import ENGINES
from shufflenet_deploy.runtime.errors import BenchError

__all__ = ["bundle_parts", "launch_command", "unpacked"]

MACHINE = "aarch64"
LIBRARIES = ("numpy", "msgspec")
ON_DEMAND = ("pillow",)
"""Libraries that a device gets where they are named beside its engines."""
LOADER = "lib/ld-linux-aarch64.so.1"
_PACKAGES = ("python3", "libstdc++6")
_SHARED = (
    *("ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0"),
    *("librt.so.1", "libutil.so.1", "libstdc++.so.6", "libgcc_s.so.1", "libz.so.1"),
    *("libexpat.so.1", "libffi.so.8"),
)
"""Shared libraries that the interpreter, numpy and the engines are linked to."""
_UNNEEDED = (
    *("__pycache__/*", "*/__pycache__/*", "config-*/*", "test/*", "*/test/*", "*/tests/*"),
    *("idlelib/*", "tkinter/*", "turtledemo/*", "turtle.py", "lib2to3/*", "distutils/*"),
    *("ensurepip/*", "pydoc*", "asyncio/*", "unittest/*", "doctest.py", "pdb.py", "sqlite3/*"),
    *("curses/*", "dbm/*", "wsgiref/*", "xmlrpc/*", "venv/*", "multiprocessing/*", "mailbox.py"),
    # With libraries that would have to come along, or that no worker imports.
    *(
        f"lib-dynload/{name}.*"
        for name in (
            *("*test*", "_codecs_*", "_multibytecodec", "_curses*", "*dbm", "_sqlite3", "_bz2"),
            *("_lzma", "_hashlib", "_ssl", "_crypt", "nis", "ossaudiodev", "audioop", "readline"),
            *("_uuid", "_lsprof", "xx*", "_xx*", "_asyncio", "_tkinter", "_multiprocessing"),
        )
    ),
)
"""Patterns of the standard library's files that no worker needs."""

Tell = Callable[[str], None]


def bundle_parts(engines: Iterable[str], tell: Tell) -> tuple[Part, ...]:
    """All parts for ARM64 with the engines of these names: the base, then folders for PYTHONPATH.

    Raises `BenchError` where they are not in the cache and cannot be made on this host.
    """
    base = base_part(tell)
    platform = _platform(base)
    return (base, *package_parts(platform, engines, tell))


def package_parts(platform: Platform, engines: Iterable[str], tell: Tell) -> tuple[Part, ...]:
    """Folders for the PYTHONPATH of any Python: the project, its libraries, the engines.

    Beside engines, libraries of `ON_DEMAND` may be named.
    """
    groups = [list(LIBRARIES), *([name] for name in _distributions(engines))]
    folder = host_cache() / "wheels"
    wheels = [download(names, platform, folder, tell) for names in groups]
    return (project_part(), *map(wheels_part, wheels))


def _distributions(engines: Iterable[str]) -> list[str]:
    """What brings the engines of these names, each once; this project's own come with it."""
    names = set(engines)
    rows = [row for row in ENGINES.values() if row.name in names and row.distributions]
    brought = (row.distributions[0] for row in rows)
    return list(dict.fromkeys([*brought, *(name for name in ON_DEMAND if name in names)]))


def launch_command(base: Path, rest: Sequence[Path]) -> tuple[list[str], dict[str, str]]:
    """What `launch` does, for an emulator: the command of Python, and its environment.

    `base` is the folder of the first part, `rest` those of the others.
    """
    command = [str(base / LOADER), "--library-path", str(base / "lib"), str(base / "bin/python3")]
    path = ":".join(map(str, rest))
    return [*command, "-S", "-s"], {"PYTHONHOME": str(base), "PYTHONPATH": path}


def base_part(tell: Tell) -> Part:
    """Loader, C library and Python."""
    launch = files("shufflenet_deploy.bench.provision").joinpath("launch.sh").read_text("utf-8")

    def fill(folder: Path) -> None:
        tell("making a Python that needs nothing on the device, of Debian's packages")
        cache = host_cache() / "packages"
        debs = fetch(_PACKAGES, cache)
        with tempfile.TemporaryDirectory(dir=cache) as root:
            unpack(debs, Path(root))
            _gather(Path(root), folder)
        (folder / "launch").write_text(launch)
        (folder / "launch").chmod(0o755)
        (folder / "GLIBC").write_text(_glibc(debs))

    return made("\n".join([launch, *_PACKAGES, *_SHARED, *_UNNEEDED]), "Python for ARM64", fill)


def _gather(root: Path, folder: Path) -> None:
    """Take from the unpacked packages in `root` what is needed."""
    libraries = sorted(root.glob("usr/lib/python3.[0-9]*"))
    version = libraries[-1].name.removeprefix("python") if libraries else ""
    if version not in PYTHON_VERSIONS:
        raise BenchError(
            f"the Python of this host's distribution is {version or 'missing'}, and "
            f"{PYTHON_RANGE} is needed: make the bundle on Debian 12 or 13, or on Ubuntu 24.04"
        )
    standard = libraries[-1]
    (folder / "bin").mkdir()
    shutil.copy(root / "usr" / "bin" / f"python{version}", folder / "bin" / "python3")
    library = folder / "lib" / standard.name
    for path in standard.rglob("*"):
        inside = path.relative_to(standard).as_posix()
        # What is a link leads out, to settings of the system.
        if path.is_symlink() or not path.is_file():
            continue
        if any(fnmatch(inside, pattern) for pattern in _UNNEEDED):
            continue
        (library / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, library / inside)
    (library / "lib-dynload").mkdir(exist_ok=True)  # without it, Python complains of its home
    for name in _SHARED:
        source = next(
            (
                path
                for path in (root / f"usr/lib/{MACHINE}-linux-gnu" / name, root / "usr/lib" / name)
                if path.exists()
            ),
            None,
        )
        if source is None:
            raise BenchError(f"Debian's packages hold no {name}: this is a mistake of ours")
        shutil.copy(source, folder / "lib" / name)
        (folder / "lib" / name).chmod(0o755)


def _glibc(debs: Sequence[Path]) -> str:
    for deb in debs:
        if match := re.match(r"libc6_(\d+\.\d+)", deb.name):
            return match[1]
    raise BenchError("Debian's packages hold no C library: this is a mistake of ours")


def _platform(base: Part) -> Platform:
    """For what packages of this bundle have to be."""
    tree = unpacked(base)
    (library,) = tree.glob("lib/python3.*")
    major, minor = library.name.removeprefix("python").split(".")
    first, second = (tree / "GLIBC").read_text().split(".")
    return Platform((int(major), int(minor)), MACHINE, (int(first), int(second)))
