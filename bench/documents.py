"""The project's JSON files told apart by what is in them, for whoever is given the wrong one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import msgspec

from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import staged
from shufflenet_deploy.runtime.files.reading import read_bytes
from shufflenet_deploy.runtime.worker.protocol import printable

_T = TypeVar("_T")


class Kind(NamedTuple):
    """What a file of ours may hold."""

    what: str
    """What such a file holds, such as ``a profile``: words that stand behind "holds"."""
    keys: frozenset[str]
    """Keys that every version of such a document has, and no other kind has all together."""
    remedy: str
    """What to do with such a file where something else was to be read."""

    @property
    def noun(self) -> str:
        """Such as ``profile``, to stand behind "holds no"."""
        return self.what.partition(" of ")[0].removeprefix("a ").removeprefix("an ")


def _kind(what: str, keys: str, remedy: str) -> Kind:
    return Kind(what, frozenset(keys.split()), remedy)


RESULTS = _kind(
    "results",
    "target environment parameters runs",
    "shufflenet-bench show prints them, shufflenet-report makes a page of them",
)
COUNTS = _kind(
    "counts of instructions",
    "kind qemu entries",
    "shufflenet-bench show prints them, shufflenet-bench compare compares two of them",
)
PROFILE = _kind("a profile", "profiles", "shufflenet-bench show prints it")
SUSTAINED = _kind("a sustained load", "windows asked_seconds", "shufflenet-bench show prints it")
END_TO_END = _kind(
    "an end-to-end measurement", "image image_size models", "shufflenet-bench show prints it"
)
EVALUATION = _kind(
    "an evaluation",
    "data classes images unusable artifacts",
    "shufflenet-eval prints one as a table, without --json",
)
KINDS = (
    RESULTS,
    COUNTS,
    PROFILE,
    SUSTAINED,
    END_TO_END,
    _kind(
        "an artifact's manifest",
        "options self_check verification",
        "shufflenet-bench measures the artifact that it lies beside",
    ),
    _kind(
        "a comparison",
        "changes mean only_a only_b",
        "give the files that were compared",
    ),
    _kind(
        "what shufflenet-bench --json prints",
        "results summary",
        "give what --out wrote, results.json unless named",
    ),
    EVALUATION,
)


class OtherKindError(BenchError):
    """A file of ours that holds something else than was to be read: wrong usage."""


def kind_of(document: Mapping[str, Any]) -> Kind | None:
    """Which of `KINDS` a file's JSON object is; None for what is not ours."""
    return next((kind for kind in KINDS if kind.keys <= document.keys()), None)


def kind_at(path: Path) -> Kind | None:
    """Which of `KINDS` the file at `path` holds; None also for what cannot be read."""
    try:
        return kind_of(msgspec.json.decode(read_bytes(path), type=dict[str, Any]))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # whoever reads it as something else will say what is wrong


def require_ours(out: Path, wanted: Kind) -> None:
    """Raise `BenchError` where `out` is a file that does not hold what is `wanted`: it stays."""
    if not out.exists() or not out.stat().st_size:
        return
    kind = kind_at(out)
    if kind != wanted:
        raise BenchError(
            f"--out {out} is a file that holds {kind.what if kind else 'something else'}, and not "
            f"{wanted.what}: it is not replaced; name another file, or delete it",
            usage=True,
        )


class UnwritableError(BenchError):
    """What was measured cannot be written where it belongs; the text says where it is instead."""


def write(path: Path, document: bytes) -> None:
    """Write `document` to `path`, whole or not at all.

    Raises `UnwritableError` where that cannot be: a disk is full, a folder was deleted in the
    middle. What took hours to measure is kept in a temporary folder then.
    """
    try:
        with staged(path) as temporary:
            temporary.write_bytes(document)
    except OSError as error:
        wrong = f"cannot write {path}: {error.strerror}"
    else:
        return
    try:
        kept = Path(tempfile.mkdtemp(prefix="shufflenet-")) / path.name
        kept.write_bytes(document)
    except OSError:
        raise UnwritableError(f"{wrong}; make room, or name another file with --out") from None
    raise UnwritableError(
        f"{wrong}; what there was to write is in {kept}: move it to "
        "where there is room, to go on with it there"
    )


Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes a document of an older version and returns it as one of today's."""


def load(
    path: Path,
    kind: Kind,
    record: type[_T],
    version: int | None,
    again: str,
    older: Mapping[int, Upgrade] = MappingProxyType({}),
) -> _T:
    """Read the record of `kind` at `path`; `again` says how to get one of `version`, if any.

    Of the versions in `older` it is read too.

    Raises `OtherKindError` for another kind, and `BenchError` for a file that is missing, broken or
    of another version.
    """
    noun = kind.noun
    try:
        data = read_bytes(path)
    except OSError as error:
        raise BenchError(f"cannot read the {noun} {path}: {error.strerror}", usage=True) from None
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
        check_kind(path, document, kind)
        there = document.get("version")
        if isinstance(there, int) and there in older:
            return msgspec.convert(printable(older[there](document)), type=record, str_keys=True)
        if there != version:
            raise BenchError(
                f"{path} holds {noun} of version {there!r} and this is a reader "
                f"of version {version}: {again}"
            )
        return msgspec.convert(printable(document), type=record, str_keys=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BenchError(f"{path} holds no {noun}: {error}") from None


def check_kind(path: Path, document: Mapping[str, Any], kind: Kind) -> None:
    """Raise `OtherKindError` where the `document` in `path` is ours and of another kind."""
    there = kind_of(document)
    if there not in (None, kind):
        raise OtherKindError(
            f"{path} holds {there.what}, not {kind.what}: {there.remedy}", usage=True
        )


def load_to_resume(path: Path, read: Callable[[Path], _T]) -> _T:
    """What `read` reads of `path`, to go on with; where that cannot be, says how to begin anew."""
    try:
        return read(path)
    except OtherKindError as error:
        raise OtherKindError(
            f"--resume: {error}; to begin anew, name another file with --out", usage=True
        ) from None
