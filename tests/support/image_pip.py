"""From where this host's pip takes its packages, for a pip in a container."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_NAMES = (
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host"),
    *("cert", "client-cert", "proxy", "timeout", "default-timeout", "retries"),
)
"""What else pip can be told, as where its cache is, is no business of a container."""
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables by which pip finds its certificates where its settings say nothing of them."""


@dataclass(frozen=True)
class PipSettings:
    """A configuration file, and what it names on this host."""

    text: str
    paths: tuple[Path, ...]
    """Files and folders that have to be in the container under the same name."""


def pip_settings() -> PipSettings:
    """What is in force for this Python's pip, by files and by variables."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    return settings(listed.stdout, os.environ)


def settings(listed: str, environment: Mapping[str, str]) -> PipSettings:
    """From the lines of ``pip config list``; a variable wins, and then what is for ``install``."""
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            name = key.removeprefix(f"{section}.")
            if name != key and name in _NAMES:
                found[name] = " ".join(ast.literal_eval(value).split())
    bundle = next((environment[name] for name in _BUNDLES if environment.get(name)), None)
    if bundle:
        found.setdefault("cert", bundle)
    words = [word for value in found.values() for word in value.split()]
    paths = dict.fromkeys(path for path in map(_local, words) if path and path.exists())
    lines = ["[global]", *(f"{name} = {value}" for name, value in found.items())]
    return PipSettings("".join(f"{line}\n" for line in lines), tuple(paths))


def _local(word: str) -> Path | None:
    """What has to be there for a path, or for an index that is a folder; None for anything else."""
    parts = urlsplit(word)
    if parts.scheme == "file":
        path = Path(url2pathname(parts.path))
        # An index names files that lie beside it, not in it.
        return path.parent if path.parent != Path("/") else path
    return Path(word) if word.startswith("/") else None
