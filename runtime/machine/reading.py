"""What the kernel's files say, and None for whatever cannot be read or is something else."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path("/")


def megahertz(text: str | None) -> float | None:
    """A frequency as cpufreq writes it, in kHz; None for anything else, such as <unknown>."""
    khz = integer(text)
    return khz / 1000 if khz and khz > 0 else None


def integer(text: str | None) -> int | None:
    """`text` as a number, None where it is none: `int` alone takes 1_0 too, and any length."""
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,18}", text) else None


def read_text(path: Path) -> str | None:
    """A file's text, stripped; None where it cannot be read or is empty."""
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:  # also a sensor that is there and does not answer
        return None


def fields(path: Path, key: str) -> list[str]:
    """The values of the lines ``key : value``; none where the file cannot be read."""
    pairs = (line.partition(":") for line in (read_text(path) or "").splitlines())
    return [value.strip() for name, _, value in pairs if name.strip() == key]


def kilobytes(values: list[str]) -> int | None:
    """The first of /proc/meminfo's values in bytes: its kB are 1024 bytes (proc_meminfo(5))."""
    words = values[0].split() if values else []
    count = integer(words[0]) if words else None
    return None if count is None else count * 1024
