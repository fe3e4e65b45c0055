"""What a file is by its first bytes, where it is none of what was asked for.

A download that went wrong is the usual reason: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
for pointers; signatures of archives as their formats' documents have them.
"""

from __future__ import annotations

from pathlib import Path

from shufflenet_deploy.runtime.files.reading import opened

START = 512
"""How many bytes tell."""

_POINTER = b"version https://git-lfs"
_ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")


def start_of(path: Path) -> bytes:
    """The first bytes of a file; OSError where it cannot be read."""
    with opened(path) as file:
        return file.read(START)


def mistaken(start: bytes) -> str | None:
    """What a file that begins so is instead, with the remedy; None where that is not known."""
    if not start:
        return "an empty file: copy or download it again"
    if start.startswith(_POINTER):
        return "a Git LFS pointer and not the file itself: run git lfs pull where it lies"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return "a web page: what was asked for was not sent; download it again"
    if start[257:262] == b"ustar":
        return "an archive (tar): unpack it first"
    for signature, name in _ARCHIVES.items():
        if start.startswith(signature):
            return f"an archive ({name}): unpack it first"
    return None
