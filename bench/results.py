"""What a measurement leaves behind: ``results.json``, raw samples and how they came about.

It holds no figure that can be derived from the samples: `summary` does that anew, so that a
better statistic serves old results too.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from shufflenet_deploy.bench import BenchError
from shufflenet_deploy.bench.environment import Environment
from shufflenet_deploy.runtime.artifact import Options
from shufflenet_deploy.runtime.files import staged
from shufflenet_deploy.runtime.spec import Burst, Spec

RESULTS_VERSION = 1


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the models were run: a `Spec` without its artifacts, see there."""

    rounds: int = 20
    threads: int = 1
    warm_up: int = 20
    untimed: int = 5
    timed: int = 3
    seed: int = 0

    def spec(self, *artifacts: str) -> Spec:
        """The spec of a block with `artifacts`, which are paths on the device."""
        return Spec(artifacts=artifacts, **msgspec.structs.asdict(self))


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one model cost in a worker of its own."""

    engine: str
    engine_version: str
    delegate_partitions: int | None
    load_time_ms: float
    first_run_ms: float
    peak_memory_bytes: int | None


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An artifact and what was measured of it."""

    name: str
    """Its file's name."""
    path: str
    """Where it lay on the host."""
    sha256: str
    options: Options
    multiply_adds: int
    probe: Probe
    bursts: tuple[Burst, ...] = ()
    """Raw, in nanoseconds. Those of one format took turns: equal rounds are pairs."""


class Results(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A measurement, whole or up to where it was stopped."""

    version: int = RESULTS_VERSION
    created: str
    """When it began: ISO 8601, UTC."""
    device: str
    environment: Environment
    parameters: Parameters
    complete: bool = False
    """Every model has all its rounds."""
    models: tuple[Model, ...] = ()


def check_writable(path: Path) -> None:
    """Raise `BenchError` where results could not be written to `path`: before measuring."""
    if path.is_dir():
        raise BenchError(f"--out {path} is a folder: name a file in it", usage=True)
    if not path.parent.is_dir():
        raise BenchError(f"--out {path}: there is no folder {path.parent}; make it", usage=True)
    try:  # permissions do not tell of a read-only or full file system, trying does
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise BenchError(
            f"--out {path}: cannot write to the folder {path.parent}: {error.strerror}", usage=True
        ) from None


def write(path: Path, results: Results) -> None:
    """Write `results` to `path`, whole or not at all."""
    with staged(path) as temporary:
        temporary.write_bytes(msgspec.json.encode(results) + b"\n")


def read(path: Path) -> Results:
    """Read results. Raises `BenchError` where they are missing, broken or of another version."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BenchError(f"cannot read the results {path}: {error.strerror}", usage=True) from None
    try:
        version: Any = msgspec.json.decode(data, type=dict[str, Any]).get("version")
        if version != RESULTS_VERSION:
            raise BenchError(
                f"{path} holds results of version {version!r} and this is a reader of version "
                f"{RESULTS_VERSION}: measure again"
            )
        return msgspec.json.decode(data, type=Results)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} holds no results: {error}") from None
