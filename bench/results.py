"""What a measurement leaves behind: ``results.json``, raw samples and how they came about.

It holds no figure that can be derived from the samples: `summary` does that anew, so that a
better statistic serves old results too. Its JSON Schema is ``bench/results.schema.json``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import msgspec

from shufflenet_deploy.bench.counted import Counted
from shufflenet_deploy.bench.documents import RESULTS, load
from shufflenet_deploy.bench.version_2 import from_version_2
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import staged
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.manifest import Options
from shufflenet_deploy.runtime.worker.spec import Burst, Canary

RESULTS_VERSION: Literal[3] = 3


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what is written; msgspec does not inherit `kw_only`."""


class Parameters(_Record, frozen=True, kw_only=True):
    """How the models were run."""

    threads: tuple[int, ...] = (1,)
    """One after the other: each has blocks of its own."""
    cores: tuple[int, ...] = ()
    """To which the workers were pinned; none leaves it to the system."""
    processes: int = 8
    """Worker processes of each block, at least."""
    max_processes: int = msgspec.field(default=16, name="most_processes")
    rounds: int = 160
    """Of each block, over all its processes, at most."""
    rounds_per_process: int = 10
    seconds_per_process: float = 3.0
    """Of rounds; two are measured however long they take."""
    interval_percent: float = 2.0
    """A block ends once every ratio of it is known so well: half the width of its 95% interval."""
    patience_minutes: float = 12.0
    """After which `hasty_processes` are enough for a block, however wide its interval."""
    hasty_processes: int = 3
    """Of each block at least, once patience is over; from fewer no interval is worth its name."""
    minutes: float | None = None
    """For everything, at most."""
    untimed: int = 5
    timed: int = 3
    cool_down: bool = False
    seed: int = 0


class FirstUse(_Record, frozen=True, kw_only=True):
    """What the first use costs in a process of its own. Not of a device without latency."""

    load_ms: float
    first_run_ms: float


class Probe(_Record, frozen=True, kw_only=True):
    """One model in a worker of its own."""

    engine: str
    """What it calls itself; where several distributions bring it, this one's name."""
    engine_version: str
    remarks: dict[str, int | float | str] = {}
    """What this engine alone says of the model, such as how many pieces of it a delegate runs."""
    difference: float | None
    """Of the self-check; None for a file without a manifest."""
    peak_memory_bytes: int | None
    first_use: FirstUse | None
    counted: Counted | None = None
    """On an emulated processor, with one thread."""


class Model(_Record, frozen=True, kw_only=True):
    """A file that was to be measured."""

    name: str
    """Its file's name."""
    path: str
    """Where it lay on the host."""
    sha256: str
    format: str
    """The name of a row of `runtime.formats.FORMATS`."""
    engine: str
    """By which it is measured: the name of a row of `runtime.engines.ENGINES`. The same file may
    be measured by several, each of which then is a model."""
    options: Options | None
    """None for a file of another tool, which has no manifest."""
    multiply_adds: int | None
    probe: Probe | None = None
    skipped: str | None = None
    """Why it was not measured."""

    @property
    def called(self) -> str:
        """Its file's name, with the engine where that is not the default of its format."""
        format_ = FORMATS.get(self.format)
        usual = format_ is not None and self.engine == format_.engines[0]
        return self.name if usual else f"{self.name} on {self.engine}"


class Block(_Record, frozen=True, kw_only=True):
    """Models that are measured in the same processes, so that their times are pairs."""

    id: str
    claim: str | None
    """Whose statistic the times of `members` are, in their order."""
    members: tuple[int, ...]
    """Indices of its models."""
    threads: int
    skipped: str | None = None
    """Why its models cannot be measured together."""


class TimedModel(_Record, frozen=True, kw_only=True):
    """One model's samples in one process: raw, in nanoseconds."""

    member: int
    """Index of the model."""
    warm_up_ns: tuple[int, ...]
    stable: bool
    """Whether the warm-up ended because the time had stopped falling."""
    bursts: tuple[Burst, ...]
    """Equal rounds of two models are a pair."""


class Timed(_Record, frozen=True, kw_only=True, tag="timed", tag_field="type"):
    """One process of a block on a device whose time is a latency."""

    block: str
    process: int
    """From 0."""
    start_seconds: float
    """Since the measurement began, by the host's clock."""
    stopped: Literal["rounds", "seconds", "interrupted"]
    states: tuple[State, ...]
    canary: Canary | None
    models: tuple[TimedModel, ...]


class CheckedModel(_Record, frozen=True, kw_only=True):
    """One model's correctness."""

    member: int
    difference: float | None


class Checked(_Record, frozen=True, kw_only=True, tag="checked", tag_field="type"):
    """One process of a block on a device whose time is no latency: it has none here."""

    block: str
    process: int
    models: tuple[CheckedModel, ...]


Run = Timed | Checked


class Native(_Record, frozen=True, kw_only=True):
    """One process of another harness, see `measure.native`: never pooled with ours."""

    member: int
    """Index into `Results.models`."""
    threads: int
    process: int
    runner_sha256: str
    runs: int
    init_ms: float
    first_ms: float
    mean_ms: float
    minimum_ms: float
    maximum_ms: float
    deviation_ms: float
    median_ms: float | None
    """Older ones tell none."""


class Target(_Record, frozen=True, kw_only=True):
    """Where it was measured."""

    board: str
    """As it was asked for: a name in ``devices.toml``."""
    kind: str
    expected: tuple[str, ...]
    """How the own name of such a board may begin; none where it may be any."""
    latency: bool
    """Whether its time is a latency. That of an emulated processor is not."""
    published_peak_gflops: float | None
    """Of one core in fp32, where the board is known; a multiply-add is two of them."""
    published_peak_source: str | None


class Results(_Record, frozen=True, kw_only=True):
    """A measurement, whole or up to where it was stopped."""

    version: Literal[3] = RESULTS_VERSION
    created: str
    """When it began: ISO 8601, UTC."""
    target: Target
    environment: Environment
    parameters: Parameters
    suite: str | None
    peak_multiply_adds_per_second: dict[int, float] = {}
    """Threads -> of a small kernel, measured on the device."""
    models: tuple[Model, ...] = ()
    blocks: tuple[Block, ...] = ()
    runs: tuple[Run, ...] = ()
    """In the order of time."""
    native: tuple[Native, ...] = ()
    """Of another harness, where the user has named it."""
    ended: Literal["no", "done", "minutes", "interrupted"] = "no"
    """``done``: every block has what was asked of it. ``no`` in a file: cut off."""


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
    """Read results, also those of version 2. Raises `BenchError` as `documents.load` does."""
    older = {2: from_version_2}
    return load(path, RESULTS, Results, RESULTS_VERSION, "measure again", older)
