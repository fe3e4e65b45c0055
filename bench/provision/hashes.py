"""Which bytes a wheel has to have: those of `wheels.sha256`, else those with which it came.

The file has the wheels of constraints.txt for all Pythons of devices, as ``sha256sum`` writes them;
``make wheel-hashes`` makes it. Of another version pip holds a wheel to the hash that its index
tells, and what it was is kept beside it, so that what is taken later is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import sha256, staged

FILE = "wheels.sha256"
"""The name of the table in this folder."""


@cache
def known() -> Mapping[str, str]:
    """A wheel's file name -> its SHA-256 in hexadecimal."""
    text = files("shufflenet_deploy.bench.provision").joinpath(FILE).read_text(encoding="utf-8")
    return {name: hash_ for hash_, name in (line.split() for line in text.splitlines())}


def is_expected(wheel: Path) -> bool:
    """Whether a wheel in the cache is what it was, or has to be."""
    expected = known().get(wheel.name)
    if expected is None:
        try:
            expected = _record(wheel).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return False  # whoever put it there: pip did not
    return sha256(wheel) == expected


def accept(wheel: Path, tell: Callable[[str], None]) -> None:
    """Take a wheel that pip has just fetched; `tell` hears where only the index vouches for it.

    Raises `BenchError` for one that is another than `FILE` has; it is removed.
    """
    got = sha256(wheel)
    expected = known().get(wheel.name)
    if expected is None:
        with staged(_record(wheel)) as temporary:
            temporary.write_text(f"{got}\n", encoding="utf-8")
        tell(f"{wheel.name} was not tested here: taken as pip's index has it, sha256:{got}")
    elif got != expected:
        wheel.unlink()
        raise BenchError(
            f"{wheel.name} is another file than the one that was tested: sha256:{got} and not "
            f"sha256:{expected}; see what pip's index is (pip config list), and report it there"
        )


def _record(wheel: Path) -> Path:
    return wheel.with_name(f"{wheel.name}.sha256")
