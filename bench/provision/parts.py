"""Folders as `Part`s: packed alike wherever and whenever that is done, and kept in the cache."""

from __future__ import annotations

import compileall
import gzip
import hashlib
import importlib.metadata
import os
import shutil
import tarfile
import tempfile
import warnings
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from py_compile import PycInvalidationMode

import msgspec

from shufflenet_deploy.bench.provision import Part
from shufflenet_deploy.bench.provision.cache import host_cache, locked
from shufflenet_deploy.bench.provision.wheels import distribution, rules, unpack
from shufflenet_deploy.runtime import PROJECT
from shufflenet_deploy.runtime.files import sha256, staged

_COMPRESSION = 9
_RECIPE = 2
"""The version of the way parts are made, to be counted up where the same ingredients make another
part."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of an archive in the cache without opening it."""

    key: str
    title: str
    unpacked_bytes: int
    archive_sha256: str
    """The hash of the archive as it was written: one that was cut off or altered is made anew."""


def made(recipe: str, title: str, fill: Callable[[Path], None]) -> Part:
    """The part that `fill` makes in an empty folder, or that it made before of this `recipe`."""
    folder = host_cache() / "parts"
    name = hashlib.sha256(f"{_RECIPE}\0{recipe}".encode()).hexdigest()
    record = folder / f"{name}.json"
    with locked(folder):
        part = _recall(record)
        if part is None:
            # Within the cache: a machine's own folder for temporary files may lie in memory.
            with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
                fill(Path(new))
                part = pack(Path(new), title, folder)
            kept = _Kept(
                key=part.key,
                title=title,
                unpacked_bytes=part.unpacked_bytes,
                archive_sha256=sha256(part.archive),
            )
            with staged(record) as temporary:
                temporary.write_bytes(msgspec.json.encode(kept))
    return part


def pack(tree: Path, title: str, folder: Path) -> Part:
    """Write the folder `tree` to an archive in `folder`. Equal trees make equal archives.

    Only names, contents and the right to be executed count: no times, no owners.
    """
    with tempfile.TemporaryFile(dir=folder) as plain:
        size = 0
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(tree.rglob("*"), key=lambda path: path.relative_to(tree).parts):
                info = tarfile.TarInfo(path.relative_to(tree).as_posix())
                if path.is_dir():
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(info)
                    continue
                info.size = path.stat().st_size
                info.mode = 0o755 if os.access(path, os.X_OK) else 0o644
                size += info.size
                with path.open("rb") as content:
                    tar.addfile(info, content)
        plain.seek(0)
        # Of the plain archive: how well the compression does differs from host to host.
        key = hashlib.file_digest(plain, "sha256").hexdigest()
        archive = folder / f"{key}.tgz"
        plain.seek(0)
        with (
            staged(archive) as temporary,
            temporary.open("wb") as file,
            gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0) as zipped,
        ):
            shutil.copyfileobj(plain, zipped, 1 << 20)
    return Part(key=key, title=title, archive=archive, unpacked_bytes=size)


def unpacked(part: Part) -> Path:
    """The folder of `part` on this host, for an emulator. All processes share it: write nothing.

    Python finds its bytecode there, where this host's version is that of the part: emulated, an
    engine's modules take ten times as long to compile as to run.
    """
    folder = host_cache() / "unpacked"
    tree = folder / part.key
    with locked(folder):
        if not tree.is_dir():
            with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
                whole = Path(new) / "whole"
                with tarfile.open(part.archive) as tar:
                    tar.extractall(whole, filter="data")
                _compile(whole)
                whole.rename(tree)
    return tree


def _compile(tree: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what others wrote
        compileall.compile_dir(
            tree,
            stripdir=str(tree),  # alike wherever it is made; Python puts the rest before
            quiet=2,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )


def project_part() -> Part:
    """This project's `runtime`, from this very installation, with its version."""
    package = Path(str(files("shufflenet_deploy.runtime")))
    version = importlib.metadata.version(PROJECT)
    sources = [
        path
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]

    def fill(folder: Path) -> None:
        for source in sources:
            target = folder / "shufflenet_deploy" / "runtime" / source.relative_to(package)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        metadata = folder / f"{PROJECT.replace('-', '_')}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: {PROJECT}\nVersion: {version}\n")

    hashes = [f"{source.relative_to(package)} {sha256(source)}" for source in sources]
    return made("\n".join([PROJECT, version, *hashes]), f"{PROJECT} {version}", fill)


def wheels_part(wheels: list[Path]) -> Part:
    """What a worker needs of `wheels`, in one folder."""

    def fill(folder: Path) -> None:
        for wheel in wheels:
            unpack(wheel, folder)

    recipe = [f"{sha256(wheel)} {rules(wheel)}" for wheel in wheels]
    title = " and ".join(" ".join(distribution(wheel)) for wheel in wheels)
    return made("\n".join(recipe), title, fill)


def _recall(record: Path) -> Part | None:
    """The part of a record, where both are here and whole."""
    try:
        kept = msgspec.json.decode(record.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    archive = record.parent / f"{kept.key}.tgz"
    try:
        if sha256(archive) != kept.archive_sha256:
            return None
    except OSError:
        return None
    return Part(key=kept.key, title=kept.title, archive=archive, unpacked_bytes=kept.unpacked_bytes)
