"""The artifacts to measure: those that were named, or a suite's, exported where missing.

Exporting needs torch, which this package never imports: it is another process, and the two
meet only in the artifacts' folder.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from shufflenet_deploy.bench.measure.engines import model_format
from shufflenet_deploy.runtime.artifact import Artifact, has_manifest, model_bytes, model_sha256
from shufflenet_deploy.runtime.errors import BenchError, InferenceError, ProcessError
from shufflenet_deploy.runtime.formats import format_of
from shufflenet_deploy.runtime.manifest import Manifest
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.client import EXPORT, run
from shufflenet_deploy.runtime.worker.isolation import module_command

EXPORTER = module_command(EXPORT)
_NEEDED_TO_EXPORT = ("torch", "onnx")
"""Packages of the extra `export` without which nothing can be exported, in whichever format."""

Tell = Callable[[str], None]
"""Takes a line for the user."""


def open_named(paths: Iterable[Path]) -> list[Artifact]:
    """Open the artifacts at `paths`, in their order.

    Raises `InferenceError` for one that cannot be used, and `BenchError` where two are the same
    file: a model does not take turns with itself.
    """
    return _each_once(paths, Artifact.open, lambda artifact: artifact.manifest.sha256)


@dataclass(frozen=True)
class Subject:
    """A file to measure: an artifact, or a model of another tool, which has no manifest."""

    path: Path
    sha256: str
    manifest: Manifest | None
    engine: str
    """The engine to measure the file with: the name of a row of `ENGINES`."""
    size_bytes: int | None = None
    """The size of all its files."""

    @staticmethod
    def of(artifact: Artifact, engine: str | None = None) -> Subject:
        """An artifact as a subject, by default for the first engine of its format."""
        name = engine or format_of(artifact.path).engines[0]
        manifest = artifact.manifest
        return Subject(artifact.path, manifest.sha256, manifest, name, manifest.size_bytes)

    @property
    def format(self) -> str:
        """The name of its row of `FORMATS`."""
        return format_of(self.path).name


def open_subjects(paths: Iterable[Path]) -> list[Subject]:
    """Open the files at `paths`, in their order, whether or not they have manifests.

    Raises `InferenceError` for one that cannot be used, and `BenchError` for one that no engine
    runs or that is the same as another.
    """
    return _each_once(paths, _open_subject, lambda subject: subject.sha256)


def _open_subject(path: Path) -> Subject:
    format_ = model_format(path)
    if path.is_file() and not has_manifest(path):
        first = format_.engines[0]
        return Subject(path, model_sha256(path), None, first, model_bytes(path))
    return Subject.of(Artifact.open(path))


_T = TypeVar("_T", Artifact, Subject)


def _each_once(
    paths: Iterable[Path], opener: Callable[[Path], _T], hash_of: Callable[[_T], str]
) -> list[_T]:
    """Open `paths`, and refuse one that is the same file as another."""
    opened: dict[str, _T] = {}
    for path in paths:
        new = opener(path)
        twin = opened.setdefault(hash_of(new), new)
        if twin is not new:
            raise BenchError(
                f"{path} is the same artifact as {twin.path}: give each only once", usage=True
            )
    return list(opened.values())


def provide(
    needed: Sequence[Options], folder: Path, tell: Tell, exporter: Sequence[str] = EXPORTER
) -> list[Artifact]:
    """The artifacts of `needed` in `folder`, with those exported that it does not hold.

    Only a file whose manifest says exactly what is wanted, and whose bytes are those that the
    manifest vouches for, is used as it is. Raises `BenchError` where exporting is impossible.
    """
    artifacts = {options: _find(options, folder, tell) for options in needed}
    missing = [options for options, artifact in artifacts.items() if artifact is None]
    if missing:
        _check_exporter(missing, folder)
    jobs = _by_network(missing)
    for number, job in enumerate(jobs, start=1):
        names = ", ".join(options.file_name for options in job)
        tell(f"[{number}/{len(jobs)}] exporting {names}")
        _export(job, folder, exporter)
    return [artifact or _exported(options, folder) for options, artifact in artifacts.items()]


def _find(options: Options, folder: Path, tell: Tell) -> Artifact | None:
    path = folder / options.file_name
    if not path.exists():
        return None
    try:
        artifact = Artifact.open(path)
    except InferenceError as error:
        tell(f"not used: {error}")
        return None
    if artifact.manifest.options != options:
        tell(f"not used: {path} was exported with other options than its name says")
        return None
    return artifact


def _exported(options: Options, folder: Path) -> Artifact:
    path = folder / options.file_name
    artifact = Artifact.open(path)
    if artifact.manifest.options != options:
        raise BenchError(f"{path} was exported with other options than were asked for")
    return artifact


def _check_exporter(missing: Sequence[Options], folder: Path) -> None:
    if all(importlib.util.find_spec(name) for name in _NEEDED_TO_EXPORT):
        return
    names = ", ".join(options.file_name for options in missing)
    raise BenchError(
        f"missing in {folder}: {names}. Copy them there with their manifests, or install what "
        "exports them: pip install 'shufflenet-deploy[export]'"
    )


def _by_network(missing: Iterable[Options]) -> list[list[Options]]:
    """Jobs for the exporter: the formats of one network together, since it is captured once."""
    jobs: dict[Options, list[Options]] = {}
    for options in missing:
        jobs.setdefault(msgspec.structs.replace(options, format=""), []).append(options)
    return list(jobs.values())


def _export(job: Sequence[Options], folder: Path, exporter: Sequence[str]) -> None:
    """Run the exporter. Its stderr is ours; its stdout is not, which is for our own result."""
    options = job[0]
    command = [*exporter, "--network", options.network]
    if options.groups is not None:
        command += ["--groups", str(options.groups)]
    if options.scale is not None:
        command += ["--scale", str(options.scale)]
    height, width = options.input_size
    command += ["--input-size", f"{height}x{width}", "--precision", options.precision]
    command += ["--lowering", options.lowering]
    for same_network in job:
        command += ["--format", same_network.format]
    command += ["--out", str(folder)]
    try:
        run(command, who="shufflenet-export", shown=True)
    except ProcessError as error:
        raise BenchError(
            f"shufflenet-export failed on {options.network} with {error.ending}; "
            "what it said is above",
            usage=error.usage,
        ) from None
