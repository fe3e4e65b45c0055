"""An exported network, of one file or several, and the manifest that vouches for it.

An artifact may be several files, as its format has them, and so may the model of another tool:
whatever copies, hashes, weighs or removes one asks `files` which they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.files import combined_sha256, sha256
from shufflenet_deploy.runtime.files.reading import irregular, read_bytes
from shufflenet_deploy.runtime.formats import format_of, is_model
from shufflenet_deploy.runtime.manifest import (
    OWN_KEYS,
    File,
    Manifest,
    manifest_path,
    read_manifest,
)


@dataclass(frozen=True)
class Artifact:
    """An artifact on this machine whose bytes are those that its manifest vouches for."""

    path: Path
    manifest: Manifest

    @staticmethod
    def open(path: Path) -> Artifact:
        """Read the manifest of `path` and check the file against it.

        Raises `InferenceError` where either is missing, unreadable or of another version, or
        where the file's hash is not the manifest's.
        """
        if not path.is_file():
            _refuse_irregular(path)
            raise InferenceError(
                f"no artifact {path}: export it with shufflenet-export", usage=True
            )
        manifest = read_manifest(manifest_path(path))
        # Not `files`, which reads what the model says of itself: that is to be checked first.
        expected = file_paths(path)
        if len(expected) != len(manifest.files):
            raise InferenceError(
                f"{path}: its format has {len(expected)} files and its manifest "
                f"{len(manifest.files)}: export it again"
            )
        for file, recorded in zip(expected, manifest.files, strict=True):
            _check_there(file, path)
            _check(file, recorded)
        return Artifact(path, manifest)


def _check(path: Path, recorded: File) -> None:
    size = path.stat().st_size
    if size != recorded.size_bytes:
        raise InferenceError(
            f"{path} has {size} bytes where its manifest says {recorded.size_bytes}: "
            "it was cut off or replaced; copy or export it again"
        )
    if sha256(path) != recorded.sha256:
        raise InferenceError(
            f"{path} is not the file that its manifest vouches for (SHA-256 differs): "
            "it was altered; copy or export it again"
        )


def _refuse_irregular(path: Path) -> None:
    """Raise `InferenceError` where something is at `path` that cannot be read as a file is."""
    if kind := irregular(path):
        raise InferenceError(f"{path} is {kind}: name a file", usage=True)


def file_paths(path: Path) -> tuple[Path, ...]:
    """Where the files of an artifact at `path` belong, in the order of its format's suffixes."""
    first, *others = format_of(path).files
    stem = path.name[: -len(first)]
    return (path, *(path.with_name(stem + suffix) for suffix in others))


def files(path: Path) -> tuple[Path, ...]:
    """All files of the model at `path`, that one first: what has to be copied along with it.

    Beside those of its format they are the ones in which a model of another tool keeps its weights;
    these may lie in folders below that of `path`. Raises `InferenceError` where one is missing,
    or where no format has such files.
    """
    paths = file_paths(path)
    further = format_of(path).further_files
    if further:
        paths += further(path)
    for file in paths:
        _check_there(file, path)
    return paths


def _check_there(file: Path, model: Path) -> None:
    if file.is_file():
        return
    _refuse_irregular(file)
    if file == model:
        raise InferenceError(f"no model {model}: name one that is there", usage=True)
    raise InferenceError(
        f"{model} needs {file.relative_to(model.parent)} beside it, which is missing: "
        "copy it along with the model",
        usage=True,
    )


def has_manifest(path: Path) -> bool:
    """Whether a manifest lies beside the file at `path`, and not another program's settings.

    A file that is no JSON, or an empty object, is one too: whoever reads it says what is wrong.
    """
    try:
        record = msgspec.json.decode(read_bytes(manifest_path(path)))
    except FileNotFoundError:
        return False
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
    return not record or (isinstance(record, dict) and not OWN_KEYS.isdisjoint(record))


def copied_files(path: Path) -> tuple[Path, ...]:
    """What to bring to a device for the file at `path`: all of a model's, and any manifest.

    A file that is no model is brought as it is. Raises as `files` does.
    """
    if not is_model(path):
        return (path,)
    manifest = manifest_path(path)
    return (*files(path), *([manifest] if has_manifest(path) else []))


def model_bytes(path: Path) -> int:
    """The size of the model at `path`, of all its files; raises as `files` does."""
    return sum(file.stat().st_size for file in files(path))


def model_sha256(path: Path) -> str:
    """By which the model at `path` is told from others, in hexadecimal; raises as `files` does.

    Of one file it is that file's SHA-256, of several the SHA-256 of theirs in their order: their
    names do not enter, since the model is the same under another.
    """
    return combined_sha256([sha256(file) for file in files(path)])
