"""Wheels for a device's Python, fetched by this host's pip and unpacked without any pip."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from shufflenet_deploy.bench.provision.cache import locked
from shufflenet_deploy.bench.provision.hashes import accept, is_expected
from shufflenet_deploy.runtime import PROJECT
from shufflenet_deploy.runtime.engines import ENGINES
from shufflenet_deploy.runtime.errors import BenchError

OLDEST_GLIBC = 17
"""The minor version of the oldest glibc that wheels are looked for: 2.17, which the tag
manylinux2014 stands for; no wheel in use is for an older one."""
_SECONDS = 900.0
"""Seconds that pip may take to download one wheel, on a slow line too."""
_NO_NETWORK = re.compile(
    r"NewConnectionError|Max retries|Failed to establish|Name or service not known"
    r"|name resolution|ConnectTimeout|ReadTimeout|timed out|ProxyError|Network is unreachable"
    r"|connection error: "  # pip 26.3
)
_UNNEEDED = ("*/tests/*", "*.pyi", "*.a", "*/include/*")
_UNNEEDED_OF_NUMPY = ("numpy/f2py/*", "numpy/_core/*_tests.*.so", "numpy/_pyinstaller/*")
"""Patterns of numpy's files that no worker imports. An engine's row tells of its own wheel."""


@dataclass(frozen=True)
class Platform:
    """For what a wheel has to be."""

    python: tuple[int, int]
    machine: str
    glibc: tuple[int, int]

    def __str__(self) -> str:
        version = ".".join(map(str, self.python))
        return f"Python {version} on {self.machine} with glibc {'.'.join(map(str, self.glibc))}"

    @property
    def tags(self) -> tuple[str, ...]:
        """The platform tags that fit, best first."""
        if self.glibc[0] != 2:
            return ()
        numbered = range(self.glibc[1], OLDEST_GLIBC - 1, -1)
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in numbered]
        return (*tags, f"manylinux2014_{self.machine}") if tags else ()


def download(
    names: Sequence[str], platform: Platform, folder: Path, tell: Callable[[str], None]
) -> list[Path]:
    """Wheels of the distributions `names` for `platform`, kept in `folder`.

    Of the versions that this host has, so that both are measured with the same. Where one has no
    wheel for the device, the newest that this project works with; `tell` gets a line of it. All of
    pip's own settings are honoured. Raises `BenchError` where there is no wheel, or no network.
    """
    with locked(folder):
        return [_wheel(name, platform, folder, tell) for name in names]


def distribution(wheel: Path) -> tuple[str, str]:
    """Name and version in a wheel's file name, the name as registries write it."""
    name, version, *_ = parse_wheel_filename(wheel.name)
    return name, str(version)


def fits(wheel: Path, platform: Platform) -> bool:
    """Whether a wheel, by the tags in its file name, is for `platform`."""
    try:
        *_, tags = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename:  # whatever lies there is none of pip's
        return False
    return not tags.isdisjoint(_taken(platform))


def _taken(platform: Platform) -> set[Tag]:
    """All tags of wheels that a Python on `platform` takes."""
    interpreter = f"cp{''.join(map(str, platform.python))}"
    return {
        *cpython_tags(platform.python, platforms=[*platform.tags, "any"]),
        *compatible_tags(platform.python, interpreter, platform.tags),
    }


def rules(wheel: Path) -> tuple[str, ...]:
    """Patterns of what a worker does not need of `wheel`."""
    name, _ = distribution(wheel)
    if name == "numpy":
        return (*_UNNEEDED, *_UNNEEDED_OF_NUMPY)
    engine = next((row for row in ENGINES.values() if name in row.distributions), None)
    return (*_UNNEEDED, *(engine.unneeded if engine else ()))


def unpack(wheel: Path, folder: Path) -> None:
    """Put into `folder` what a worker needs of `wheel`.

    Raises `BenchError` for a file that is no wheel, or that would reach beyond `folder`.
    """
    unneeded = rules(wheel)
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                path = _inside(member, wheel)
                if path is None or any(fnmatch(str(path), pattern) for pattern in unneeded):
                    continue
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
                executable = member.external_attr >> 16 & 0o111
                target.chmod(0o755 if executable else 0o644)
    except zipfile.BadZipFile as error:
        raise BenchError(f"{wheel} is no wheel ({error}): remove it, and try again") from None


def _inside(member: zipfile.ZipInfo, wheel: Path) -> Path | None:
    """Where `member` belongs; None for a folder, and for what is not imported."""
    path = PurePosixPath(member.filename)
    if member.is_dir():
        return None
    mode = member.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(mode) or "\\" in member.filename:
        raise BenchError(f"{wheel} holds {member.filename!r}, which is no name in a wheel")
    if path.parts[0].endswith(".data"):
        if len(path.parts) < 3 or path.parts[1] not in ("purelib", "platlib"):
            return None
        path = PurePosixPath(*path.parts[2:])
    return Path(path)


def _wheel(name: str, platform: Platform, folder: Path, tell: Callable[[str], None]) -> Path:
    version = _installed(name)
    if wheel := _kept(name, version, platform, folder):
        return wheel
    if wheel := _ask_pip(f"{name}=={version}", platform, folder):
        accept(wheel, tell)
        return wheel
    allowed = _allowed(name)
    wheel = _ask_pip(allowed, platform, folder)
    if not wheel:
        raise BenchError(f"there is no wheel of {allowed} for {platform}")
    tell(
        f"{name} {version}, which this host has, has no wheel for {platform}: the device gets "
        f"{distribution(wheel)[1]}"
    )
    accept(wheel, tell)
    return wheel


def _kept(name: str, version: str, platform: Platform, folder: Path) -> Path | None:
    """A wheel that is here already, so that a second run needs no network.

    One that was cut off or altered is removed, so that it is fetched anew.
    """
    for wheel in sorted(folder.glob("*.whl")):
        if fits(wheel, platform) and distribution(wheel) == (name, version):
            if is_expected(wheel):
                return wheel
            wheel.unlink()
    return None


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        raise BenchError(
            f"{name} is not installed here, so it is unknown which version the device should have: "
            f"pip install {name}"
        ) from None


def _allowed(name: str) -> str:
    """What this project asks for of `name`: ``numpy>=1.26``."""
    for line in importlib.metadata.requires(PROJECT) or ():
        requirement = Requirement(line)
        if canonicalize_name(requirement.name) == name:
            return f"{requirement.name}{requirement.specifier}"
    return name


def _ask_pip(requirement: str, platform: Platform, folder: Path) -> Path | None:
    """The wheel that pip finds; None where there is none. Raises `BenchError` for all else."""
    if importlib.util.find_spec("pip") is None:
        raise BenchError(
            f"there is no pip in {sys.executable} to fetch {requirement} for the device: "
            "python -m ensurepip"
        )
    if not platform.tags:
        return None
    before = set(folder.glob("*.whl"))
    command = [sys.executable, "-I", "-m", "pip", "download", "--only-binary=:all:", "--no-deps"]
    # Verbose, or pip keeps to itself that it could not reach an index.
    command += ["-vv", "--disable-pip-version-check", "--no-input", "--dest", str(folder)]
    command += ["--implementation", "cp", "--python-version", ".".join(map(str, platform.python))]
    for abi in (f"cp{platform.python[0]}{platform.python[1]}", "abi3", "none"):
        command += ["--abi", abi]
    for tag in platform.tags:  # pip takes each to the letter
        command += ["--platform", tag]
    try:
        done = subprocess.run(
            [*command, requirement],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"pip did not fetch {requirement} within {_SECONDS:.0f} s") from None
    if done.returncode == 0:
        return _downloaded(requirement, platform, folder, before)
    if _NO_NETWORK.search(done.stdout + done.stderr):
        raise BenchError(
            f"pip cannot reach its index for {requirement}, which the device needs: once with a "
            f"network, and it is kept in {folder}"
        )
    if "No matching distribution" in done.stderr:
        return None
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    said = (errors or [f"exit code {done.returncode}"])[0].removeprefix("ERROR:").strip()
    raise BenchError(f"pip cannot fetch {requirement} for the device: {said}")


def _downloaded(
    requirement: str, platform: Platform, folder: Path, before: set[Path]
) -> Path | None:
    name = canonicalize_name(Requirement(requirement).name)
    fitting = [
        wheel
        for wheel in folder.glob("*.whl")
        if fits(wheel, platform) and distribution(wheel)[0] == name
    ]
    # What was here already is a wheel that pip may have found again.
    return max(
        fitting, key=lambda wheel: (wheel not in before, wheel.stat().st_mtime), default=None
    )
