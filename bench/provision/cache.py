"""What this host keeps for its devices: packages, wheels, and the parts made of them.

The folder may be copied to a host that has no network, or no Debian, and serves there as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from shufflenet_deploy.bench.folders import cache_folder
from shufflenet_deploy.runtime.errors import BenchError


def host_cache() -> Path:
    """The folder ``host`` in this program's cache, made where it is not there.

    Raises `BenchError` where it cannot be.
    """
    folder = cache_folder() / "host"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(
            f"cannot keep what devices need in {folder}: {error.strerror}; set XDG_CACHE_HOME to a "
            "folder that can be written"
        ) from None
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process that asks for the same `folder` waiting."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):  # which the system gives up where a process dies
        yield
