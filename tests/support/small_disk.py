"""A real disk that fills up soon."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of `size`, such as ``64k``, at `folder`, which is made.

    Skips the test where this user may mount none.
    """
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this root may not mount")
    try:
        yield folder
    finally:
        # Lazily: an emulated board that has only just ended may still have it.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def free_bytes(folder: Path) -> int:
    """How much can still be written to the disk of `folder`."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def fill(file: Path) -> None:
    """Leave no room on the disk of `file`, by writing it."""
    with file.open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free_bytes(file.parent))
