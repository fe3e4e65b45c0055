"""Artifacts that are either whole in their place or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path

from shufflenet_deploy.export.formats.emitter import PRODUCER
from shufflenet_deploy.runtime.artifact import Artifact, file_paths, has_manifest
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.files.reading import irregular, opened
from shufflenet_deploy.runtime.manifest import manifest_path
from shufflenet_deploy.runtime.system import is_over


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Make the folder `out`, yield a hidden one inside it to work in, and remove that again.

    Raises `ExportError` for an `OSError` inside; a folder that was made for nothing is removed.
    """
    folder = out / f".export-{os.getpid()}"
    was_there = out.exists()
    _remove_stale(out)
    try:
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        raise ExportError(
            f"cannot write to {out}: {error.strerror}; make room there or choose another --out"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not was_there and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def _remove_stale(out: Path) -> None:
    """Remove what exports have left in `out` that were killed: whose process is no more."""
    for folder in out.glob(".export-*"):
        number = folder.name.rpartition("-")[2]
        if (
            number.isdecimal()
            and folder.is_dir()
            and not folder.is_symlink()
            and is_over(int(number))
        ):
            shutil.rmtree(folder, ignore_errors=True)


def write_files(path: Path, contents: tuple[bytes, ...]) -> None:
    """Write the files of the artifact at `path`, as many as its format has."""
    for file, content in zip(file_paths(path), contents, strict=True):
        file.write_bytes(content)


def require_replaceable(path: Path) -> None:
    """Raise `ExportError` where an artifact at `path` would replace a file that is none of ours."""
    manifest = manifest_path(path)
    if manifest.exists() and has_manifest(path):
        return  # whatever is wrong with what lies beside it
    for file in (manifest, *file_paths(path)):
        if file.is_dir() or irregular(file) or (file.exists() and not _names_us(file)):
            raise ExportError(
                f"{file} is there already and not ours, so it is not replaced: move it away, or "
                "choose another --out",
                usage=True,
            )


def _names_us(file: Path) -> bool:
    """Whether `file` says by whom it was made, as emitters have it; an empty one says nothing."""
    if not file.stat().st_size:
        return True
    with opened(file) as opened_file, mmap(opened_file.fileno(), 0, access=ACCESS_READ) as data:
        return data.find(PRODUCER.encode()) >= 0


def publish(staged: Path, out: Path) -> Artifact:
    """Move a finished artifact to its place, its manifest last; a rename cannot fail halfway."""
    for file in (*file_paths(staged), manifest_path(staged)):
        file.replace(out / file.name)
    return Artifact.open(out / staged.name)
