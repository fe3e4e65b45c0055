"""From an image to a label, for a person: each stage, and inference as a part of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from rich.console import Console

from shufflenet_deploy.bench.analysis.wording import count, milliseconds, share
from shufflenet_deploy.bench.measure.alone.end_to_end import EndToEnd, Labelled
from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.presentation.terminal import drawn, show_lines, show_title
from shufflenet_deploy.runtime.command_line import print_table
from shufflenet_deploy.runtime.images.stages import STAGES
from shufflenet_deploy.runtime.worker.spec import StageTimes

_INFERENCE = "inference"
_BRIEF = {"normalise": "norma-\nlise ", _INFERENCE: "infer-\nence "}
"""Stages whose names are too long for a terminal's columns."""


def show(measured: EndToEnd, console: Console) -> None:
    """Print on `console` how long each stage takes."""
    height, width = measured.image_size
    where = measured.environment.board or measured.target.board
    show_title(f"from {measured.image} ({width}x{height}) to a label on {where}", console)
    print_table(drawn(_table(measured)), console)
    console.print()
    show_lines(_notes(measured), console)


def _table(measured: EndToEnd) -> Table:
    columns = (
        Column("model", words=True),
        *(Column(f"{stage} (ms)", _BRIEF.get(stage, f"{stage}\n") + "ms") for stage in STAGES),
        Column("whole (ms)", "whole\nms"),
        Column("from (ms)", "from\nms"),
        Column("to (ms)", "to\nms"),
        Column("inference (%)", f"{_BRIEF[_INFERENCE]}%"),
    )
    return Table("stages", columns, tuple(map(_row, measured.models)))


def _row(model: Labelled) -> tuple[str, ...]:
    stages = [median(_stage(times, name) for times in model.processes) for name in STAGES]
    wholes = [_whole(times) for times in model.processes]
    return (
        _name(model),
        *(milliseconds(ns / 1e6) for ns in stages),
        milliseconds(median(wholes) / 1e6),
        milliseconds(min(wholes) / 1e6),
        milliseconds(max(wholes) / 1e6),
        share(stages[STAGES.index(_INFERENCE)] / sum(stages)).rstrip(" %"),
    )


def _name(model: Labelled) -> str:
    return f"{model.model} ({model.engine}, {count(model.threads, 'thread')})"


def _stage(times: StageTimes, name: str) -> float:
    """The median over one process's runs, in nanoseconds."""
    return median(times.stages_ns[name])


def _whole(times: StageTimes) -> float:
    """The median over one process's runs of all stages together, in nanoseconds."""
    return median(map(sum, zip(*times.stages_ns.values(), strict=True)))


def _notes(measured: EndToEnd) -> Iterator[str]:
    for model in measured.models:
        labels = sorted({times.label for times in model.processes})
        yield f"{_name(model)}: {' or '.join(labels)}"
    processes = len(measured.models[0].processes) if measured.models else 0
    yield (
        f"medians over {count(processes, 'process')} of each one's medians; from and to: the "
        "fastest and the slowest process's whole"
    )
    yield (
        "decode: the file to pixels; resize: and cropped; normalise: as the model's input; label: "
        "the best class of its answer"
    )
