"""An archive around a file of weights, as a browser or a server makes one: what is in it."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from shufflenet_deploy.runtime.errors import ModelsError
from shufflenet_deploy.runtime.files.reading import opened

LIMIT = 2**30
"""The most bytes that are unpacked: a ShuffleNet with an optimiser's state has a tenth of it."""

_SHOWN = 5


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """`path`, or the one file that it is an archive of, for as long as this lasts.

    Raises `ModelsError` for an archive of several files, or none, or one that is broken.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            inner = _inner(path, Path(folder))
        except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, RuntimeError) as error:
            raise ModelsError(
                f"it is an archive that cannot be unpacked ({error}); copy or download it again"
            ) from None
        yield inner or path


def _inner(path: Path, folder: Path) -> Path | None:
    """The file in the archive `path`, unpacked into `folder`; None where it is no archive."""
    with opened(path) as file:
        start = file.read(512)
    names = _zipped(path) if start[:2] == b"PK" else []
    # PyTorch's own files are archives as well.
    if names and not any(name.rpartition("/")[2] == "data.pkl" for name in names):
        with zipfile.ZipFile(path) as archive, archive.open(_only(names)) as packed:
            return _written(packed, folder / Path(_only(names)).name)
    if start[257:262] == b"ustar" or (start[:2] == b"\x1f\x8b" and tarfile.is_tarfile(path)):
        with tarfile.open(path) as tar:
            members = {member.name: member for member in tar if member.isfile()}
            name = _only(list(members))
            member = tar.extractfile(members[name])
            assert member is not None
            return _written(member, folder / Path(name).name)
    if start[:2] == b"\x1f\x8b":
        with gzip.open(path) as unzipped:
            return _written(unzipped, folder / path.name.removesuffix(".gz"))
    return None


def _zipped(path: Path) -> list[str]:
    """The files in a zip archive; none where it is broken, which PyTorch's reader may say too."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [info.filename for info in archive.infolist() if not info.is_dir()]
    except Exception:  # noqa: BLE001 - altered bytes make it raise anything
        return []


def _only(names: list[str]) -> str:
    """The one name among those that are the user's."""
    own = [name for name in names if not name.startswith("__MACOSX/") and "/." not in f"/{name}"]
    if len(own) == 1:
        return own[0]
    if not own:
        raise ModelsError("it is an archive without a file in it; copy or download it again")
    more = f" and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
    raise ModelsError(
        f"it is an archive of {len(own)} files, {', '.join(own[:_SHOWN])}{more}; unpack it and "
        "name the one that holds the weights"
    )


def _written(packed: IO[bytes] | gzip.GzipFile, path: Path) -> Path:
    left = LIMIT
    with path.open("wb") as file:
        while data := packed.read(2**20):
            left -= len(data)
            if left < 0:
                raise ModelsError(
                    f"it unpacks to more than {LIMIT // 2**20} MB; unpack it and name the file in "
                    "it"
                )
            file.write(data)
    return path
