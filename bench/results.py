"""What a measurement leaves behind: ``results.json``, raw samples and how they came about.

It holds no figure that can be derived from the samples: `summary` does that anew, so that a
better statistic serves old results too. Its JSON Schema is ``bench/results.schema.json``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from shufflenet_deploy.bench import documents
from shufflenet_deploy.bench.counted import Counted
from shufflenet_deploy.bench.documents import RESULTS, load
from shufflenet_deploy.bench.version_2 import from_version_2
from shufflenet_deploy.runtime import MAX_THREADS
from shufflenet_deploy.runtime.engines.given import GivenInput, UsedInput
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files.reading import irregular
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.spec import Burst, Canary, Nanoseconds

RESULTS_VERSION: Literal[3] = 3


_Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_Positive = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
_Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what is written; msgspec does not inherit `kw_only`."""


class Parameters(_Record, frozen=True, kw_only=True):
    """How the models were run."""

    threads: tuple[Annotated[int, msgspec.Meta(ge=1, le=MAX_THREADS)], ...] = (1,)
    """Numbers of threads to measure with, one after the other: each has its own blocks."""
    cores: tuple[int, ...] = ()
    """Numbers of the cores to which workers were pinned; empty leaves the choice to the system."""
    processes: int = 8
    """The fewest worker processes that measure a block; once patience is over see
    `hasty_processes`."""
    max_processes: int = msgspec.field(default=16, name="most_processes")
    rounds: int = 160
    """The most rounds of a block, over all its processes."""
    rounds_per_process: int = 10
    seconds_per_process: float = 3.0
    """Seconds that the rounds of a process may take; two rounds are measured however long they
    take."""
    interval_percent: float = 2.0
    """Half the width of a 95% interval, in percent of the value, at which a ratio is well enough
    known: a block ends once all of its ratios are."""
    patience_minutes: float = 12.0
    """Minutes of the measurement after which `hasty_processes` are enough for a block, however wide
    its intervals."""
    hasty_processes: int = 3
    """The fewest processes of a block once patience is over; fewer give no interval worth its
    name."""
    minutes: float | None = None
    """The most minutes that the whole measurement may take; None sets no limit."""
    untimed: int = 5
    timed: int = 3
    cool_down: bool = False
    inputs: tuple[GivenInput, ...] = ()
    """What the user said of inputs of models without a manifest; their files are paths on the
    host."""
    seed: int = 0


class FirstUse(_Record, frozen=True, kw_only=True):
    """What the first use costs in a process of its own. Not of a device without latency."""

    load_ms: _Milliseconds
    first_run_ms: _Milliseconds


class Probe(_Record, frozen=True, kw_only=True):
    """One model in a worker of its own."""

    engine: str
    """The name by which the engine calls itself; of several distributions that bring it, the one
    that ran."""
    engine_version: str
    inputs: tuple[UsedInput, ...] = ()
    """What each input of a model without a manifest got; none for one that has a manifest, which
    says it."""
    remarks: dict[str, int | float | str] = {}
    """What this engine alone says of the model, such as how many pieces of it a delegate runs."""
    difference: float | None
    """How far the self-check's logits are from the manifest's, see `SelfCheck`; None for a file
    without a manifest."""
    peak_memory_bytes: _Count | None
    first_use: FirstUse | None
    counted: Counted | None = None
    """Instructions of one inference with one thread; None unless the processor is emulated."""


class MeasuredAccuracy(_Record, frozen=True, kw_only=True):
    """How often a model was right on labelled images, see `bench.accuracy`."""

    data: str
    """The folder or data set as it was named."""
    images: int
    """The images that could be read: all models were judged on the same ones."""
    right: int
    """Images whose class is the model's best (top-1)."""
    among_five: int | None
    """Images whose class is among its five best (top-5); None with no more than five classes."""

    def __post_init__(self) -> None:
        """Raise ValueError for numbers of images that cannot be."""
        for right in (self.right, self.among_five):
            if (right is not None and not 0 <= right <= self.images) or self.images < 1:
                raise ValueError(f"{right} right of {self.images} images cannot be")


class Model(_Record, frozen=True, kw_only=True):
    """A file that was to be measured."""

    name: str
    """The name of the model's file."""
    path: str
    """The path at which the file lay on the host."""
    sha256: str
    format: str
    """The file's format: the name of a row of `runtime.formats.FORMATS`."""
    engine: str
    """The name of the row of `runtime.engines.ENGINES` by which the model is measured. A file that
    several engines measure is as many models."""
    options: Options | None
    """The options of the export; None for a file of another tool, which has no manifest."""
    multiply_adds: _Count | None
    size_bytes: _Count | None = None
    """The size of all its files; None in results that are older than this figure."""
    accuracy: MeasuredAccuracy | None = None
    """None where it was not evaluated."""
    probe: Probe | None = None
    skipped: str | None = None
    """Why the model was not measured; None where nothing kept it from being."""

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
    """The id of the claim whose statistic is computed from the times of `members`, in their order;
    None where the block is for no claim."""
    members: tuple[int, ...]
    """Indices in `Results.models` of the models that are measured together."""
    threads: _Positive
    skipped: str | None = None
    """Why these models cannot be measured together; None where they can."""


class TimedModel(_Record, frozen=True, kw_only=True):
    """One model's samples in one process: raw, in nanoseconds."""

    member: int
    """The model's index in `Results.models`."""
    warm_up_ns: tuple[Nanoseconds, ...]
    stable: bool
    """Whether the warm-up ended because the time had stopped falling, and not at its limit."""
    bursts: tuple[Burst, ...]
    """The model's bursts, one in each round; those of two models in the same round are a pair."""


class Timed(_Record, frozen=True, kw_only=True, tag="timed", tag_field="type"):
    """One process of a block on a device whose time is a latency."""

    block: str
    process: int
    """The process's number in its block, from 0."""
    start_seconds: float
    """Seconds from the beginning of the measurement to that of the process, by the host's clock."""
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
    """The model's index in `Results.models`."""
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
    """Median of the timed runs in milliseconds; None where the program is too old to print it."""


class Target(_Record, frozen=True, kw_only=True):
    """Where it was measured."""

    board: str
    """The board as the user asked for it: a name in ``devices.toml``."""
    kind: str
    expected: tuple[str, ...]
    """Beginnings of the names that such a board may give itself; empty where it may be any
    machine."""
    latency: bool
    """Whether the time measured there is a latency; that of an emulated processor is not."""
    published_peak_gflops: float | None
    """Published peak of one core in fp32, in GFLOP/s (a multiply-add is two operations); None where
    the board or its peak is not known."""
    published_peak_source: str | None


class Results(_Record, frozen=True, kw_only=True):
    """A measurement, whole or up to where it was stopped."""

    version: Literal[3] = RESULTS_VERSION
    created: str
    """When the measurement began: ISO 8601, UTC."""
    target: Target
    environment: Environment
    parameters: Parameters
    suite: str | None
    peak_multiply_adds_per_second: dict[int, float] = {}
    """Number of threads -> multiply-adds per second of a matrix multiplication on the device; empty
    where time is no latency."""
    models: tuple[Model, ...] = ()
    blocks: tuple[Block, ...] = ()
    runs: tuple[Run, ...] = ()
    """One record for each worker process of a block, in the order of time."""
    native: tuple[Native, ...] = ()
    """Figures of another harness, `benchmark_model`, one record for each of its processes; empty
    unless the user named it."""
    ended: Literal["no", "done", "minutes", "interrupted"] = "no"
    """``done``: every block has what was asked of it. ``minutes``: the time was over.
    ``interrupted``: by the user. ``no`` in a file: the measurement was cut off."""


def check_writable(path: Path) -> None:
    """Raise `BenchError` where results could not be written to `path`: before measuring."""
    if path.is_dir():
        raise BenchError(f"--out {path} is a folder: name a file in it", usage=True)
    if kind := irregular(path):
        raise BenchError(f"--out {path} is {kind}, which is not replaced: name a file", usage=True)
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
    """Write `results` to `path`, whole or not at all; see `documents.write`."""
    documents.write(path, msgspec.json.encode(results) + b"\n")


def read(path: Path) -> Results:
    """Read results, also those of version 2.

    Raises `BenchError` as `documents.load` does, where they refer to what is not in them, and where
    they contradict themselves.
    """
    older = {2: from_version_2}
    results = load(path, RESULTS, Results, RESULTS_VERSION, "measure again", older)
    if missing := _missing(results):
        raise BenchError(f"{path} refers to {missing}, which it has not: measure again")
    if contradiction := _contradiction(results):
        raise BenchError(f"{path} contradicts itself: {contradiction}; measure again")
    return results


def _contradiction(results: Results) -> str | None:
    """The first two things of one file that cannot both be; None where there are none."""
    blocks = {block.id: block for block in results.blocks}
    if len(blocks) < len(results.blocks):
        return "two of its blocks have one name"
    for block in results.blocks:
        if block.threads not in results.parameters.threads:
            return f"the block {block.id!r} has {block.threads} threads, which it did not ask for"
    for run in results.runs:
        for model in run.models:
            if model.member not in blocks[run.block].members:
                return f"a process of the block {run.block!r} ran model {model.member}, not in it"
            if results.models[model.member].probe is None:
                return f"model {model.member} was measured and never loaded"
    return None


def _missing(results: Results) -> str | None:
    """The first model or block that is referred to and not there; None where all are."""
    empty = next((block.id for block in results.blocks if not block.members), None)
    if empty is not None:
        return f"a model in the block {empty!r}"
    blocks = {block.id for block in results.blocks}
    members = [member for block in results.blocks for member in block.members]
    for run in results.runs:
        if run.block not in blocks:
            return f"the block {run.block!r}"
        members += [model.member for model in run.models]
    there = range(len(results.models))
    beyond = next((member for member in members if member not in there), None)
    return None if beyond is None else f"model {beyond}"
