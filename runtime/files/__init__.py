"""Files that are either whole or not there, and their hashes."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shufflenet_deploy.runtime.files.reading import opened


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, renamed to it at the end and removed on any failure.

    The temporary name lies in the same folder, since a rename is atomic only within one file
    system, and keeps the suffix, since engines and people go by it. An OSError that is about it, or
    as of a full disk about no file by name, is raised about `path`, the only one that users know.
    """
    # Of this thread too: two may make the same file at once.
    temporary = path.with_name(f".{os.getpid()}.{threading.get_native_id()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.filename is None or Path(os.fsdecode(error.filename)) == temporary:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def shown(text: str) -> str:
    """`text` with what is no UTF-8 in it, as names of files may have, written as escapes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def named(text: str) -> Path:
    """The path that `shown` shows as `text`, which may also be a path as it is."""
    path = Path(text)
    if path.exists():
        return path
    raw = re.sub(rb"\\x([89a-f][0-9a-f])", lambda byte: bytes([int(byte[1], 16)]), text.encode())
    return Path(os.fsdecode(raw))


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def combined_sha256(hashes: Sequence[str]) -> str:
    """The hash of a model whose files have these, see `artifact.model_sha256`."""
    first, *others = hashes
    return hashlib.sha256("".join(hashes).encode()).hexdigest() if others else first
