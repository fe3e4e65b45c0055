"""Which way a worker gets to a device: on the device's own Python, or with one that it brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shufflenet_deploy.bench.provision import PYTHON_RANGE, Installation, Survey, Way
from shufflenet_deploy.bench.provision.bundle import MACHINE, bundle_parts, package_parts
from shufflenet_deploy.bench.provision.wheels import Platform
from shufflenet_deploy.runtime.errors import BenchError

_VENV_MACHINES = (MACHINE, "x86_64")
_BUNDLE_MACHINES = (MACHINE, "arm64", "armv8l")
"""Architectures, as `uname -m` prints them, on which a bundle runs. The last is what a 64-bit
kernel says to 32-bit programs; it runs 64-bit ones all the same."""

Tell = Callable[[str], None]


def install_for(
    survey: Survey, way: Way | None, engines: tuple[str, ...], tell: Tell
) -> Iterator[Installation]:
    """What to try on a device, best first; `way` allows only that one.

    Made when it is asked for: who takes the first pays nothing for the second. Raises `BenchError`
    where nothing is left to try, with the reasons.
    """
    reasons = []
    tried = False
    for name, make in (("venv", _venv), ("bundle", _bundle)):
        if way not in (None, name):
            continue
        try:
            installation = make(survey, engines, tell)
        except BenchError as error:
            reasons.append(f"{name}: {error}")
            if way is None and name == "venv":
                tell(f"no venv for the device: {error}")
            continue
        tried = True
        yield installation
    if not tried:
        asked = f"--provision {way} cannot be" if way else "nothing fits the device"
        raise BenchError(f"{asked}; {'; '.join(reasons)}", usage=way is not None)


def _venv(survey: Survey, engines: tuple[str, ...], tell: Tell) -> Installation:
    """A virtual environment of the device's Python. Raises `BenchError` with why it cannot be."""
    if survey.python is None or survey.python_version is None:
        raise BenchError(f"it has no Python {PYTHON_RANGE}")
    version = ".".join(map(str, survey.python_version))
    if survey.python_bits != 64:
        raise BenchError(f"its Python {version} is a {survey.python_bits}-bit one")
    if survey.machine not in _VENV_MACHINES:
        raise BenchError(f"there are no wheels for {survey.machine}")
    if not survey.has_venv:
        raise BenchError(f"its Python {version} lacks the module venv")
    if survey.libc is None or survey.libc[0] != "glibc":
        raise BenchError(f"the C library of its Python {version} is not glibc")
    platform = Platform(survey.python_version, survey.machine, survey.libc[1:])
    notes: list[str] = []
    parts = package_parts(platform, engines, notes.append)
    for note in notes:  # only now: of what cannot be, nobody wants details
        tell(note)
    return Installation(
        way="venv",
        reason=f"on its own Python {version}",
        parts=parts,
        python=survey.python,
        python_version=survey.python_version,
    )


def _bundle(survey: Survey, engines: tuple[str, ...], tell: Tell) -> Installation:
    """A Python that needs nothing there. Raises `BenchError` with why it cannot be."""
    if survey.machine not in _BUNDLE_MACHINES:
        raise BenchError(f"it is for ARM64, and the device is {survey.machine}")
    return Installation(
        way="bundle",
        reason="with a Python of its own",
        parts=bundle_parts(engines, tell),
    )
