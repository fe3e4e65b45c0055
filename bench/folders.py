"""Where this program keeps what is its own, as each system has it.

On Linux that is the XDG Base Directory Specification.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from platformdirs import user_cache_path, user_config_path

NAME = "shufflenet-deploy"


def config_folder() -> Path | None:
    """Of the user's own settings; None where there is no home folder."""
    return _usable(user_config_path(NAME, appauthor=False), ".config")


def cache_folder() -> Path:
    """Of what can be made anew. The same that `bench/devices/ssh.py` takes on a device."""
    found = _usable(user_cache_path(NAME, appauthor=False), ".cache")
    return found or Path(tempfile.gettempdir()) / NAME


def _usable(found: Path, at_home: str) -> Path | None:
    """`found`, or where that is relative, as no setting may be, what is meant without one."""
    if found.is_absolute():
        return found
    try:
        return Path.home() / at_home / NAME
    except RuntimeError:
        return None
