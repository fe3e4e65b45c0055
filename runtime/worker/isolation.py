"""What keeps the processes that we start apart from the user's own files and settings of Python.

A ``random.py`` in the current folder, a package in the user's site-packages or a variable such as
PYTHONWARNINGS are for the user's programs. What decides where *this* process found its packages is
kept, so that those that it starts find the same (see the Python documentation, "Command line and
environment").
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PREFIX = (sys.executable,)
"""What starts a command of this very installation: its own Python."""

_KEPT = ("PYTHONHOME", "PYTHONUSERBASE", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
"""Where Python's own files are, and where it may write; all others change what a program does."""


def module_command(module: str, prefix: Sequence[str] = PREFIX) -> list[str]:
    """What runs `module` with the Python that `prefix` starts, in an `isolated_environment`.

    Nothing is imported from the current folder, nor from the user's own packages, unless this very
    package is one of them.
    """
    own = tuple(prefix) == PREFIX and _is_a_package_of_the_user()
    return [*prefix, "-P", *([] if own else ["-s"]), "-m", module]


def isolated_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`environment` without the user's settings of Python.

    PYTHONPATH is kept, since parts of a bundle are found by it, and a source tree may be; but not
    its empty entries, which stand for the current folder.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name in _KEPT or not name.startswith("PYTHON")
    }
    entries = environment.get("PYTHONPATH", "").split(os.pathsep)
    if path := os.pathsep.join(str(Path(entry).absolute()) for entry in entries if entry):
        kept["PYTHONPATH"] = path
    return kept


def _is_a_package_of_the_user() -> bool:
    """Whether this package was installed for one user alone (``pip install --user``)."""
    own = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
    return bool(own) and Path(own) in Path(__file__).parents
