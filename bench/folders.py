"""Where this program keeps what is its own, as each system has it.

On Linux that is the XDG Base Directory Specification.
"""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path, user_config_path

from shufflenet_deploy.runtime.system import user_id

NAME = "shufflenet-deploy"


def config_folder() -> Path | None:
    """Of the user's own settings; None where there is no home folder."""
    return _usable(user_config_path, ".config")


def cache_folder() -> Path:
    """Of what can be made anew. The same that `bench/devices/ssh.py` takes on a device."""
    return _usable(user_cache_path, ".cache") or _private()


@cache
def _private() -> Path:
    """A folder of a user without a home, in one that others can write to: theirs is not trusted.

    It is made anew for each process where there is another's already by its name.
    """
    shared, user = Path(tempfile.gettempdir()), user_id()
    folder = shared / f"{NAME}-{user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o077:
        return folder
    return Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=shared))


def _usable(find: Callable[..., Path], at_home: str) -> Path | None:
    """What `find` of platformdirs finds; where that is relative, as no setting may be, the usual.

    None where there is no home folder.
    """
    try:
        found = find(NAME, appauthor=False)
        return found if found.is_absolute() else Path.home() / at_home / NAME
    except RuntimeError:
        return None
