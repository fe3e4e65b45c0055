"""Ask a device what it is and what it has already, in one go."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shufflenet_deploy.bench.devices.link import Link, ask, script
from shufflenet_deploy.bench.provision import PYTHON_VERSIONS, Survey
from shufflenet_deploy.runtime.errors import BenchError

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Seen:
    """What a device said of itself."""

    survey: Survey
    root: str
    """The path of the folder on the device that holds all that is ours, or will."""
    parts: frozenset[str]
    """Keys of the parts that the device has already, see `Part.key`."""


def look(link: Link) -> Seen:
    """Survey the device behind `link`. Raises `BenchError` where it does not answer."""
    versions = f"versions='{' '.join(reversed(PYTHON_VERSIONS))}'\n"
    return parse(ask(link, versions + script("survey.sh")), link.name)


def parse(text: str, name: str) -> Seen:
    """What `survey.sh` printed. Raises `BenchError` for what it would never print."""
    pairs = [line.partition("=") for line in text.splitlines() if "=" in line]
    said = {key: value for key, _, value in pairs if value}
    try:
        survey = Survey(
            machine=said["machine"],
            kernel=said.get("kernel", ""),
            clock=int(said["clock"]),
            free_bytes=_available(said.get("df", "")),
            python=said.get("python"),
            python_version=_version(said["python_version"]) if "python" in said else None,
            python_bits=int(said["python_bits"]) if "python" in said else None,
            libc=_libc(said.get("libc", "")),
            has_venv=said.get("has_venv") == "1",
        )
        root = said["root"]
    except (KeyError, ValueError):
        shown = " ".join(text.split())[:200]
        raise BenchError(f"{name} does not say what it is, but {shown!r}") from None
    keys = frozenset(value for key, _, value in pairs if key == "part" and _KEY.fullmatch(value))
    return Seen(survey, root, keys)


def _available(df: str) -> int | None:
    """The last line of `df -Pk`: six columns, of which the first and the last may hold blanks."""
    match = re.search(r"\s(\d{1,18})\s+\d{1,3}%\s", df + " ", re.ASCII)
    return int(match[1]) * 1024 if match else None


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def _libc(text: str) -> tuple[str, int, int] | None:
    match = re.fullmatch(r"(\w+) (\d{1,4})\.(\d{1,4})(?:\..*)?", text, re.ASCII)
    return (match[1], int(match[2]), int(match[3])) if match else None
