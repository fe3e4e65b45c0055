"""The columns of the models' tables, and what each of them means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shufflenet_deploy.bench.analysis.estimates import half_width_percent
from shufflenet_deploy.bench.analysis.summary import ModelSummary
from shufflenet_deploy.bench.analysis.wording import (
    LATENCY,
    MISSING,
    decimal,
    interval_ms,
    latency,
    milliseconds,
    number,
    top1,
)
from shufflenet_deploy.bench.counted import described
from shufflenet_deploy.bench.presentation.tables import Column
from shufflenet_deploy.bench.report.data import ReportData

MAD = "median absolute deviation of all timed runs, in percent of their median"
OUTLIERS = "timed runs far off their process's median; none is dropped"
COLD = "median of the runs straight after another model"


@dataclass(frozen=True)
class Figure:
    """A column, and what stands in it for a model."""

    column: Column
    cell: Callable[[ModelSummary], str]
    optional: bool = False
    """Whether the column is left out where its figure is known of no model."""


@dataclass(frozen=True)
class Explained:
    """What one of the columns means, or some of them."""

    name: str
    meaning: str
    wide_only: bool = False
    """Whether these columns stand only on a page, and a terminal has none of them."""


def _figure(heading: str, brief: str, cell: Callable[[ModelSummary], str]) -> Figure:
    return Figure(Column(heading, brief), cell)


def _wide(heading: str, cell: Callable[[ModelSummary], str]) -> Figure:
    return Figure(Column(heading, wide_only=True), cell, optional=True)


def _cached(heading: str, name: str, places: int) -> Figure:
    """Of the simulated caches, in millions; few are simulated."""

    def cell(model: ModelSummary) -> str:
        cache = model.counted.cache if model.counted else None
        return decimal(getattr(cache, name, None), places, 1e-6)

    return Figure(Column(f"M {heading}", f"M {heading.replace(' ', chr(10))}"), cell, optional=True)


def _half_width(model: ModelSummary) -> str:
    return decimal(half_width_percent(model.latency_ms) if model.latency_ms else None, 1)


def _per_multiply_add(model: ModelSummary) -> str:
    if not model.counted or not model.multiply_adds:
        return MISSING
    return decimal(model.counted.instructions / model.multiply_adds, 3)


_MULTIPLY_ADDS = _figure(
    "M multiply-adds",
    "M mult-\nadds",
    lambda model: decimal(model.multiply_adds, 1, 1e-6, digits=2),
)

_SIZE = _wide("size (MB)", lambda model: decimal(model.size_bytes, 1, 1e-6, digits=2))
_TOP1 = Figure(Column("top-1 (%)", "top-1\n%"), top1, optional=True)

TIMES = (
    _MULTIPLY_ADDS,
    _figure("latency (ms)", "latency\nms", latency),
    _figure("± (%)", "±\n%", _half_width),
    _wide("95% interval (ms)", lambda model: interval_ms(model.latency_ms)),
    _figure("p90 (ms)", "p90\nms", lambda model: milliseconds(model.p90_ms)),
    _figure("p99 (ms)", "p99\nms", lambda model: milliseconds(model.p99_ms)),
    _wide("min (ms)", lambda model: milliseconds(model.minimum_ms)),
    _wide("MAD (%)", lambda model: decimal(model.mad_percent, 2)),
    _wide(
        "outliers",
        lambda model: f"{model.outliers} of {model.samples}" if model.samples else MISSING,
    ),
    _figure("cold (ms)", "cold\nms", lambda model: milliseconds(model.cold_ms)),
    _figure("load (ms)", "load\nms", lambda model: decimal(model.load_ms, 1, digits=2)),
    _wide("first run (ms)", lambda model: milliseconds(model.first_run_ms)),
    _figure("RAM (MB)", "RAM\nMB", lambda model: decimal(model.peak_memory_bytes, 0, 1e-6)),
    _wide(
        "G multiply-adds per s",
        lambda model: number((model.multiply_adds_per_second or 0) / 1e9 or None),
    ),
    _figure("% of peak", "% of\npeak", lambda model: decimal(model.share_of_peak, 0, 100)),
    _SIZE,
    _TOP1,
)
"""The columns for a device whose time is a latency."""

COUNTS = (
    _MULTIPLY_ADDS,
    _figure(
        "M instructions, emulated",
        "M instructions,\nemulated",
        lambda model: decimal(model.counted.instructions if model.counted else None, 2, 1e-6),
    ),
    _figure("instructions per multiply-add", "per mult-\nadd", _per_multiply_add),
    _cached("data accesses", "accesses", 2),
    _cached("L1 misses", "l1_misses", 3),
    _cached("L2 misses", "l2_misses", 3),
    _wide("RAM (MB)", lambda model: decimal(model.peak_memory_bytes, 0, 1e-6)),
    _SIZE,
    _TOP1,
)
"""The columns for an emulated processor."""


def figures(data: ReportData) -> list[Figure]:
    """The columns of every models' table of `data`."""
    every = TIMES if data.results.target.latency else COUNTS
    return [
        figure
        for figure in every
        if not figure.optional
        or any(figure.cell(model) != MISSING for model in data.summary.models)
    ]


def explained(data: ReportData) -> Iterator[Explained]:
    """What has to be known to read the tables."""
    yield from (_times if data.results.target.latency else _counts)(data)
    judged = [model.accuracy for model in data.summary.models if model.accuracy]
    for accuracy in {one.data: one for one in judged}.values():
        yield Explained(
            "top-1", f"right answers of {accuracy.images} images of {accuracy.data}, in percent"
        )


def _times(data: ReportData) -> Iterator[Explained]:
    table = data.paper.table
    yield Explained("latency", f"{LATENCY}; ±: half its 95% interval")
    yield Explained("p90, p99", "one of ten timed runs takes longer, one of a hundred", True)
    yield Explained("MAD", MAD, True)
    yield Explained("outliers", OUTLIERS, True)
    yield Explained("cold", COLD)
    yield Explained("load, first run, RAM", "in a process with no other model")
    yield Explained("peak", "of a matrix multiplication on this processor")
    yield Explained("paper", f"{table.place}, measured on a {table.device}")


def _counts(data: ReportData) -> Iterator[Explained]:
    counted = [model.counted for model in data.summary.models if model.counted]
    if counted:
        yield Explained(
            "instructions",
            "of one inference with one thread, counted by QEMU; no latency",
        )
    else:
        yield Explained(
            "emulated", "each model was loaded and its output checked; a time would be no latency"
        )
    for caches in dict.fromkeys(inference.cache.caches for inference in counted if inference.cache):
        yield Explained("caches", described(caches))
