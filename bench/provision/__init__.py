"""What a device needs before it can run a worker, and by which way it gets that.

A device needs Python, numpy, msgspec, an engine and this project's `runtime`. All of it goes there
as *parts*: folders whose name is the hash of their contents, so that what is there already is not
copied again. `venv` takes the device's own Python; `bundle` brings one, with a loader and a C
library, and needs nothing on the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

Way = Literal["venv", "bundle"]

PYTHON_VERSIONS = ("3.11", "3.12", "3.13", "3.14")
"""The versions of Python that this project runs on, as pyproject.toml has them."""
PYTHON_RANGE = f"{PYTHON_VERSIONS[0]} to {PYTHON_VERSIONS[-1]}"
"""`PYTHON_VERSIONS` in words."""


class Survey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device says of itself, as far as it matters to provisioning."""

    machine: str
    """The device's architecture as `uname -m` prints it: ``aarch64``, ``x86_64``, ``armv7l``."""
    kernel: str
    """The release of the device's kernel, as `uname -r` prints it."""
    clock: int
    """The time in seconds since 1970 by the device's own clock."""
    free_bytes: int | None
    """Free bytes where our folder on the device is or will be; None where `df` does not tell."""
    python: str | None = None
    """The path of the device's newest Python of a version that this project runs on; None without
    one."""
    python_version: tuple[int, int] | None = None
    python_bits: int | None = None
    """The word size of the device's newest Python: 32 on a 32-bit userland, whatever the kernel is;
    None without a Python."""
    libc: tuple[str, int, int] | None = None
    """Name and version of the C library of that Python on the device, such as (``glibc``, 2, 36);
    None where it does not tell."""
    has_venv: bool = False
    """Whether the device's newest Python has the module `venv`; it needs no ensurepip here."""


@dataclass(frozen=True)
class Part:
    """A folder to be had on the device."""

    key: str
    """64 hexadecimal digits that stand for the part's contents: equal where what it holds and the
    versions are."""
    title: str
    """The part's name for the user, such as ``numpy 2.4.6``."""
    archive: Path
    """The path on this host of a .tgz of the folder's contents."""
    unpacked_bytes: int


@dataclass(frozen=True)
class Installation:
    """Everything for a worker on one device."""

    way: Way
    reason: str
    """Why this way was chosen, in a few words for the user: ``its Python 3.11 is used``."""
    parts: tuple[Part, ...]
    """The folders to be had on the device. Of a bundle, the first holds ``launch``: `sh launch
    ARGUMENTS` is its Python. All others, and all of a venv, are folders for PYTHONPATH, in this
    order."""
    python: str | None = None
    """The path of the device's Python, for a venv; None for a bundle, which brings its own."""
    python_version: tuple[int, int] | None = None
    """Major and minor version of the device's Python, for a venv; None for a bundle."""
