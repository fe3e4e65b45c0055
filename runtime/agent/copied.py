"""What hosts have copied to this device, and when of that can be removed again.

Times are those of the hosts: a board without a battery begins in the past each time that it is
switched on, and what is in use would look old as soon as its clock is set.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

UNUSED_SECONDS = 30 * 24 * 3600.0
"""How long what was copied here may go unused before it is removed: 30 days."""


class Copied:
    """The parts, and the environments made of them, that are in `folder` when a session begins.

    `now` is seconds since 1970.
    """

    def __init__(self, folder: Path, now: float) -> None:
        self._kinds = [(folder / kind).resolve() for kind in ("parts", "venvs")]
        self._now = now
        # What comes later than this is another host's, which may be about to use it.
        self._there = {part for kind in self._kinds for part in kind.glob("[!.]*")}

    def use(self, paths: Iterable[str | Path]) -> None:
        """Keep those among them in which one of `paths` lies."""
        for path in map(Path, paths):
            whole = path.resolve()
            for folder in (whole, *whole.parents):
                if folder.parent in self._kinds:
                    self._there.discard(folder)
                    with contextlib.suppress(OSError):
                        os.utime(folder, (self._now, self._now))

    def prune(self) -> None:
        """Remove what no session used for a long time, this one included."""
        for part in self._there:
            with contextlib.suppress(OSError):
                if part.stat().st_mtime < self._now - UNUSED_SECONDS:
                    shutil.rmtree(part, ignore_errors=True)


def own_folders() -> list[str]:
    """Of what this very process is made."""
    return [sys.prefix, *filter(os.path.isabs, sys.path)]
