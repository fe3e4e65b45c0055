"""What results say: every figure that is derived from samples, beside the paper's own."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from shufflenet_deploy.bench.counted import Counted


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its 95% interval, see `statistics.log_interval`."""

    value: float
    low: float | None
    """The lower end of the interval; None with fewer than two processes, since only their spread
    tells how far the figure moves."""
    high: float | None
    processes: int
    rounds: int
    bootstrap: tuple[float, float] | None = None
    """Both ends of the bootstrap's 95% interval, which does not take the processes for normally
    distributed (`statistics.bootstrap_interval`); None with fewer than 10 processes. Verdicts go by
    `low` and `high`."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What models have in common whose times are comparable."""

    engine: str
    """The name by which the engine calls itself, with its version."""
    format: str
    input_size: tuple[int, int] | None
    """Height and width of the input in pixels; None for a file without a manifest."""
    precision: str | None
    lowering: str | None
    threads: int


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """How often a model was right on labelled images, as shares from 0 to 1."""

    data: str
    images: int
    top1: float
    low: float
    """The lower end of Wilson's 95% interval of `top1`."""
    high: float
    top5: float | None


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One model with one number of threads, over all processes in which it was timed.

    Times in milliseconds; all are None where there is no latency.
    """

    model: int
    """The model's index in `Results.models`."""
    label: str
    """Network, groups, scale and the options in which the models differ; the file's name where it
    has no manifest."""
    setting: Setting
    samples: int
    latency_ms: Estimate | None
    """Geometric mean over processes of the median of each one's timed runs, in milliseconds."""
    p90_ms: float | None
    p99_ms: float | None
    minimum_ms: float | None
    mad_percent: float | None
    """Median absolute deviation of all timed runs, in percent of their median."""
    outliers: int
    """Number of timed runs far off their process's median (`statistics.outliers`); none is
    dropped."""
    cold_ms: float | None
    """Median of the runs straight after another model's, in milliseconds."""
    load_ms: float | None
    first_run_ms: float | None
    peak_memory_bytes: int | None
    remarks: dict[str, int | float | str]
    """What this engine alone says of the model; empty where it says nothing."""
    size_bytes: int | None
    """Of all the model's files."""
    accuracy: Accuracy | None
    multiply_adds: int | None
    multiply_adds_per_second: float | None
    share_of_peak: float | None
    """`multiply_adds_per_second` as a share of the processor's measured peak with as many
    threads."""
    counted: Counted | None
    """Instructions of one inference; None unless the processor is emulated and the model runs with
    one thread."""
    native_ms: float | None
    """Time of one run in another harness (`measure.native`), in milliseconds; it enters no ratio
    and no claim. None where that did not measure the model."""
    samples_ms: tuple[float, ...]
    """All timed runs in milliseconds, in the order of time, for a plot of their distribution."""

    @property
    def time_ms(self) -> float:
        """The latency as it sorts: without one a model comes last."""
        return self.latency_ms.value if self.latency_ms else math.inf


class PairSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Times of one model / another, paired within rounds of one block."""

    block: str
    numerator: int
    """Index in `Summary.models` of the model whose time is divided."""
    denominator: int
    ratio: Estimate


Outcome = Literal["supported", "exceeded", "contradicted", "inconclusive"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A claim held against the times of one engine, size and precision."""

    claim: str
    """The claim's id in ``claims.toml``."""
    block: str
    setting: Setting
    outcome: Outcome
    reason: str
    """Why the outcome is this, in one sentence: where the interval lies, or what would settle an
    inconclusive one."""
    measured: Estimate | None
    low: float
    """The lower end of the band in which the claim holds."""
    high: float | None
    """The upper end of the band in which the claim holds; None where the band has none."""
    paper_table: float | None
    """The claim's statistic computed from the paper's own table at this size; None where the table
    lacks one of the networks."""
    theoretical: float | None
    """The claim's statistic if time were proportional to multiply-adds; None where some are not
    known."""
    share: float | None
    """The share of the theoretical gain that was reached; None where either figure is missing."""


class RatioMatrix(msgspec.Struct, frozen=True, kw_only=True):
    """Models that were measured in the same processes: each one's time by every other's."""

    block: str
    members: tuple[int, ...]
    """Indices in `Summary.models`, the fastest first."""
    ratios: tuple[tuple[Estimate | None, ...], ...]
    """A row for each member: its time by that of the member of each column. On the diagonal, and
    where no process timed both, there is None."""


class FrontPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A variant between accuracy and time."""

    model: int
    """The model's index in `Summary.models`."""
    top1_error_percent: float
    source: str
    """The place in the paper that the error is taken from, or on what it was measured."""
    measured: bool
    """Whether the error was measured on this very file: such points are compared with each other
    across engines and precisions, since it is known what these cost."""
    on_front: bool
    """Whether no other that it is compared with is better in error or time and no worse in both."""


class Warning(msgspec.Struct, frozen=True, kw_only=True):
    """A reason to doubt the figures, one of the closed list in `warnings.py`."""

    code: str
    evidence: str
    remedy: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All that is derived from a measurement."""

    models: tuple[ModelSummary, ...]
    pairs: tuple[PairSummary, ...]
    matrices: tuple[RatioMatrix, ...]
    """Of each block of the user's own models."""
    verdicts: tuple[Verdict, ...]
    front: tuple[FrontPoint, ...]
    warnings: tuple[Warning, ...]
