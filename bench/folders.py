"""Where this program keeps what is its own, by the XDG Base Directory Specification."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

NAME = "shufflenet-deploy"


def config_folder() -> Path | None:
    """Of the user's own settings; None where there is no home folder."""
    return _folder("XDG_CONFIG_HOME", ".config")


def cache_folder() -> Path:
    """Of what can be made anew. The same that `bench/devices/ssh.py` takes on a device."""
    return _folder("XDG_CACHE_HOME", ".cache") or Path(tempfile.gettempdir()) / NAME


def _folder(variable: str, at_home: str) -> Path | None:
    given = Path(os.environ.get(variable, ""))
    if not given.is_absolute():  # as the specification has it
        try:
            given = Path.home() / at_home
        except RuntimeError:
            return None
    return given / NAME
