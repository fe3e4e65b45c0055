"""The figures as a table for other programs: a row for each model and number of threads."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass

from shufflenet_deploy.bench.analysis.summary import ModelSummary
from shufflenet_deploy.bench.analysis.wording import LATENCY
from shufflenet_deploy.bench.measure.native import harness
from shufflenet_deploy.bench.report.columns import COLD, MAD, OUTLIERS
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.results import Model
from shufflenet_deploy.runtime.formats import FORMATS

Value = str | int | float | None
"""What a cell holds; None is an empty cell: not measured, or not known."""
_FORMULA = ("=", "+", "-", "@")
Source = Callable[[ReportData, Model, ModelSummary], Value]


@dataclass(frozen=True)
class Column:
    """A column, its meaning, and where it comes from."""

    name: str
    meaning: str
    value: Source


def _option(name: str) -> Source:
    """Of the artifact; a file of another tool has none."""
    return lambda _, model, __: getattr(model.options, name, None)


def _latency(name: str) -> Source:
    """Of the estimate; what was not timed has none."""
    return lambda _, __, summary: getattr(summary.latency_ms, name, None)


def _accuracy(name: str) -> Source:
    """Of the accuracy; what was not evaluated has none."""
    return lambda _, __, summary: getattr(summary.accuracy, name, None)


def _cached(name: str) -> Source:
    """Of the simulated caches."""
    return lambda _, __, summary: getattr(
        summary.counted.cache if summary.counted else None, name, None
    )


COLUMNS = (
    Column("created", "when the measurement began: ISO 8601", lambda r, m, s: r.results.created),
    Column("board", "as it was asked for", lambda r, m, s: r.results.target.board),
    Column("device", "what the device calls itself", lambda r, m, s: r.device),
    Column(
        "emulated",
        "yes: its time is no latency, and all times are empty; or no",
        lambda r, m, s: "no" if r.results.target.latency else "yes",
    ),
    Column("file", "the model's file", lambda r, m, s: m.name),
    Column("label", "the model's short name", lambda r, m, s: s.label),
    Column(
        "network",
        "empty for a file of another tool",
        _option("network"),
    ),
    Column("groups", "of ShuffleNet", _option("groups")),
    Column("scale", "of the network's width", _option("scale")),
    Column(
        "input_height", "pixels", lambda r, m, s: m.options.input_size[0] if m.options else None
    ),
    Column("input_width", "pixels", lambda r, m, s: m.options.input_size[1] if m.options else None),
    Column("format", " or ".join(FORMATS), lambda r, m, s: m.format),
    Column("precision", "fp32, fp16 or int8", lambda r, m, s: s.setting.precision),
    Column("lowering", "fast or plain", lambda r, m, s: s.setting.lowering),
    Column("engine", "with its version", lambda r, m, s: s.setting.engine or None),
    Column("threads", "of the engine", lambda r, m, s: s.setting.threads),
    Column("latency_ms", LATENCY, _latency("value")),
    Column(
        "latency_low_ms",
        "lower end of its 95% interval",
        _latency("low"),
    ),
    Column("latency_high_ms", "upper end", _latency("high")),
    Column("processes", "that timed it", _latency("processes")),
    Column("rounds", "over all processes", _latency("rounds")),
    Column("samples", "timed runs", lambda r, m, s: s.samples),
    Column("p90_ms", "one run in ten takes longer", lambda r, m, s: s.p90_ms),
    Column("p99_ms", "one run in a hundred takes longer", lambda r, m, s: s.p99_ms),
    Column("minimum_ms", "the fastest run", lambda r, m, s: s.minimum_ms),
    Column(
        "mad_percent",
        MAD,
        lambda r, m, s: s.mad_percent,
    ),
    Column(
        "outliers",
        OUTLIERS,
        lambda r, m, s: s.outliers,
    ),
    Column("cold_ms", COLD, lambda r, m, s: s.cold_ms),
    Column("load_ms", "from the file to a session, in its own process", lambda r, m, s: s.load_ms),
    Column("first_run_ms", "the first inference after loading", lambda r, m, s: s.first_run_ms),
    Column(
        "peak_memory_bytes",
        "of a process with no other model",
        lambda r, m, s: s.peak_memory_bytes,
    ),
    Column(
        "remarks",
        "what the engine alone says of the model, such as delegate_partitions=1",
        lambda r, m, s: " ".join(f"{name}={value}" for name, value in s.remarks.items()) or None,
    ),
    Column("size_bytes", "of all the model's files", lambda r, m, s: s.size_bytes),
    Column("accuracy_data", "on which the accuracy was measured", _accuracy("data")),
    Column("accuracy_images", "of these data", _accuracy("images")),
    Column("top1", "share of them that it has right, 0 to 1", _accuracy("top1")),
    Column("top1_low", "lower end of its 95% interval", _accuracy("low")),
    Column("top1_high", "upper end", _accuracy("high")),
    Column("top5", "share whose class is among its five best", _accuracy("top5")),
    Column("multiply_adds", "of one inference", lambda r, m, s: s.multiply_adds),
    Column(
        "multiply_adds_per_second", "at the latency", lambda r, m, s: s.multiply_adds_per_second
    ),
    Column(
        "share_of_peak",
        "multiply_adds_per_second / the device's measured peak, 0 to 1",
        lambda r, m, s: s.share_of_peak,
    ),
    Column(
        "native_ms",
        f"median of five processes of {harness()}, another harness",
        lambda r, m, s: s.native_ms,
    ),
    Column(
        "instructions",
        "of one inference with one thread on an emulated processor",
        lambda r, m, s: s.counted.instructions if s.counted else None,
    ),
    Column(
        "data_accesses", "of such an inference, where caches were simulated", _cached("accesses")
    ),
    Column("l1_misses", "of these accesses", _cached("l1_misses")),
    Column("l2_misses", "of these accesses", _cached("l2_misses")),
    Column("skipped", "why it was not measured; else empty", lambda r, m, s: m.skipped),
)


def _cell(value: Value) -> Value:
    """`value`, of which no spreadsheet makes a formula (OWASP, CSV Injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def to_csv(data: ReportData) -> str:
    """The whole table, with numbers as precise as they are."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # lines end as RFC 4180 has it, so that either half is quoted
    writer.writerow(column.name for column in COLUMNS)
    for summary in data.summary.models:
        model = data.results.models[summary.model]
        writer.writerow(_cell(column.value(data, model, summary)) for column in COLUMNS)
    return buffer.getvalue()
