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


class Survey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device says of itself, as far as it matters to provisioning."""

    machine: str
    """As `uname -m` prints it: ``aarch64``, ``x86_64``, ``armv7l``."""
    kernel: str
    """As `uname -r` prints it."""
    clock: int
    """Seconds since 1970 by the device's own clock."""
    free_bytes: int | None
    """Where our folder is or will be."""
    python: str | None = None
    """The path of its newest Python that has a version which this project runs on."""
    python_version: tuple[int, int] | None = None
    python_bits: int | None = None
    """32 on a 32-bit userland, whatever the kernel is."""
    libc: tuple[str, int, int] | None = None
    """Of that Python: (``glibc``, 2, 36)."""
    has_venv: bool = False
    """Whether that Python has the module `venv`. It needs no ensurepip here."""


@dataclass(frozen=True)
class Part:
    """A folder to be had on the device."""

    key: str
    """64 hexadecimal digits: what it holds, in which versions."""
    title: str
    """What it is, for the user: ``numpy 2.4.6``."""
    archive: Path
    """A .tgz of the folder's contents on this host."""
    unpacked_bytes: int


@dataclass(frozen=True)
class Installation:
    """Everything for a worker on one device."""

    way: Way
    reason: str
    """Why this way, in a few words for the user: ``its Python 3.11 is used``."""
    parts: tuple[Part, ...]
    """For a bundle, the first holds ``launch``: `sh launch ARGUMENTS` is its Python. All others
    are folders for PYTHONPATH, in this order. For a venv, all are such folders."""
    python: str | None = None
    """The device's Python, for a venv."""
    python_version: tuple[int, int] | None = None
    """Of that Python."""
