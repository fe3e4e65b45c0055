"""What results say: every figure that is derived from samples, beside the paper's own."""

from __future__ import annotations

from typing import Literal

import msgspec

from shufflenet_deploy.bench.counted import Counted


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its 95% interval, see `statistics.log_interval`."""

    value: float
    low: float | None
    """None with fewer than two processes: they alone tell how far it moves."""
    high: float | None
    processes: int
    rounds: int
    bootstrap: tuple[float, float] | None = None
    """From 10 processes on, another interval, which does not take them for normally distributed:
    see `statistics.bootstrap_interval`. Verdicts go by the first."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What models have in common whose times are comparable."""

    engine: str
    """What it calls itself, with its version."""
    format: str
    input_size: tuple[int, int] | None
    """Height and width; None of a file without a manifest."""
    precision: str | None
    lowering: str | None
    threads: int


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One model with one number of threads, over all processes in which it was timed.

    Times in milliseconds; all are None where there is no latency.
    """

    model: int
    """Index in the results' models."""
    label: str
    """Network, groups, scale and what else is not the same of all models, or the file's name."""
    setting: Setting
    samples: int
    latency_ms: Estimate | None
    """Geometric mean over processes of the median of their timed runs."""
    p90_ms: float | None
    p99_ms: float | None
    minimum_ms: float | None
    mad_percent: float | None
    """Median absolute deviation of all timed runs, in percent of their median."""
    outliers: int
    """Timed runs far off their process's median (`statistics.outliers`); none is dropped."""
    cold_ms: float | None
    """Median of the runs straight after another model."""
    load_ms: float | None
    first_run_ms: float | None
    peak_memory_bytes: int | None
    remarks: dict[str, int | float | str]
    """What the engine alone says of the model."""
    multiply_adds: int | None
    multiply_adds_per_second: float | None
    share_of_peak: float | None
    """Of `Results.peak_multiply_adds_per_second` of as many threads."""
    counted: Counted | None
    """Where there is no latency: on an emulated processor, with one thread."""
    native_ms: float | None
    """Of another harness, see `measure.native`: in no ratio and no claim."""
    samples_ms: tuple[float, ...]
    """All timed runs, in the order of time, for a plot of their distribution."""


class PairSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Times of one model / another, paired within rounds of one block."""

    block: str
    numerator: int
    """Index in `Summary.models`."""
    denominator: int
    ratio: Estimate


Outcome = Literal["supported", "exceeded", "contradicted", "inconclusive"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A claim held against the times of one engine, size and precision."""

    claim: str
    """Its id in ``claims.toml``."""
    block: str
    setting: Setting
    outcome: Outcome
    reason: str
    """One sentence: what lies where; of an inconclusive one what would settle it."""
    measured: Estimate | None
    low: float
    """The band in which the claim holds."""
    high: float | None
    """None: it is open."""
    paper_table: float | None
    """The same statistic on the paper's own table at this size."""
    theoretical: float | None
    """The same statistic if time were proportional to multiply-adds."""
    share: float | None
    """Of the theoretical figure that was reached."""


class FrontPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A variant between accuracy and time."""

    model: int
    """Index in `Summary.models`."""
    top1_error_percent: float
    source: str
    """Of the error."""
    on_front: bool
    """No other of the same setting has both a lower error and less time."""


class Warning(msgspec.Struct, frozen=True, kw_only=True):
    """A reason to doubt the figures, one of the closed list in `warnings.py`."""

    code: str
    evidence: str
    remedy: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All that is derived from a measurement."""

    models: tuple[ModelSummary, ...]
    pairs: tuple[PairSummary, ...]
    verdicts: tuple[Verdict, ...]
    front: tuple[FrontPoint, ...]
    warnings: tuple[Warning, ...]
