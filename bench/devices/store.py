"""Bring parts and artifacts to a device. What is there already is not copied again."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from shufflenet_deploy.bench.devices.link import Link, ask, script
from shufflenet_deploy.bench.devices.survey import Seen
from shufflenet_deploy.bench.provision import Part
from shufflenet_deploy.runtime.artifact import copied_files
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import sha256

_NO_SPACE = "no space left on device"
_IN_MEMORY = 1 << 24

Tell = Callable[[str], None]


class Store:
    """The parts on one device."""

    def __init__(self, link: Link, seen: Seen, tell: Tell) -> None:
        self._link = link
        self._seen = seen
        self._there = set(seen.parts)
        self._free = seen.survey.free_bytes
        self._tell = tell

    def place(self, part: Part) -> None:
        """Have `part` on the device. Raises `BenchError` where it does not fit or arrive."""
        if part.key in self._there:
            return
        size = part.archive.stat().st_size
        self._tell(f"copying {part.title} to {self._link.name}: {size / 1e6:.1f} MB")
        with part.archive.open("rb") as archive:
            self._send(part.key, archive, part.unpacked_bytes)

    def put(self, path: Path) -> str:
        """Have the model's files and any manifest of it on the device; the path there.

        Their names travel in the archive, so that no shell reads them.
        """
        files = {str(file.relative_to(path.parent)): file for file in copied_files(path)}
        hashes = "".join(f"{name}\0{sha256(file)}\0" for name, file in files.items())
        key = hashlib.sha256(hashes.encode()).hexdigest()
        if key not in self._there:
            size = sum(file.stat().st_size for file in files.values())
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as archive:
                _pack(files, archive)
                archive.seek(0)
                self._send(key, archive, size)
        return f"{self._seen.root}/parts/{key}/{path.name}"

    def _send(self, key: str, archive: IO[bytes], unpacked_bytes: int) -> None:
        if self._free is not None and unpacked_bytes > self._free:
            raise self._full(unpacked_bytes)
        with tempfile.TemporaryFile() as stream:
            stream.write(key.encode() + b"\n")
            while piece := archive.read(1 << 20):
                stream.write(piece)
            stream.seek(0)
            try:
                ask(self._link, script("place.sh"), stream, seconds=None)
            except BenchError as error:
                if _NO_SPACE in str(error).lower():
                    raise self._full(unpacked_bytes) from None
                raise
        self._there.add(key)
        if self._free is not None:
            self._free -= unpacked_bytes

    def _full(self, needed: int) -> BenchError:
        there = "" if self._free is None else f", and {max(self._free, 0) / 1e6:.0f} MB are free"
        return BenchError(
            f"{self._link.name} is full: {needed / 1e6:.0f} MB are needed in {self._seen.root}"
            f"{there}; make room there"
        )


def _pack(files: Mapping[str, Path], archive: IO[bytes]) -> None:
    """A .tar.gz, hardly compressed: weights do not shrink, and a Pi is slow to unpack them."""
    with (
        gzip.GzipFile(fileobj=archive, mode="wb", compresslevel=1, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, file in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = file.stat().st_size, 0o600
            with file.open("rb") as content:
                tar.addfile(info, content)
