"""The tables of a measurement: models and ratios of each setting, and the variants' errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from shufflenet_deploy.bench.analysis.summarise import typical_ms
from shufflenet_deploy.bench.analysis.summary import ModelSummary, PairSummary, Setting
from shufflenet_deploy.bench.analysis.wording import (
    decimal,
    interval_of,
    latency,
    milliseconds,
    value_of,
    where,
)
from shufflenet_deploy.bench.measure.native import harness
from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.report.columns import figures
from shufflenet_deploy.bench.report.data import ReportData


@dataclass(frozen=True)
class SettingTables:
    """What was measured in one setting."""

    models: Table
    native: Table | None
    """The models' times in another harness; None unless the user asked it."""
    pairs: Table | None
    """The models' ratios; None where no two were measured in the same processes."""


def settings_tables(data: ReportData) -> Iterator[SettingTables]:
    """The tables of each setting, in the order of `ReportData.groups`."""
    pairs = _pairs_by_setting(data)
    for setting, models in data.groups():
        title = where(setting)
        yield SettingTables(
            models=_models_table(data, title, models),
            native=_native_table(data, title, models),
            pairs=_pairs_table(
                data,
                f"Ratios of times, within rounds: {title}",
                "ratios of these times, within rounds",
                pairs[setting],
            )
            if setting in pairs
            else None,
        )


def mixed_pairs_table(data: ReportData) -> Table | None:
    """Ratios of models that are not of one setting, such as of two engines."""
    pairs = _pairs_by_setting(data).get(None)
    if not pairs:
        return None
    return _pairs_table(
        data,
        "Ratios of times, within rounds: across settings",
        "ratios of times, within rounds",
        pairs,
    )


def front_table(data: ReportData) -> Table:
    """The models whose error is known, the most accurate first."""
    models = data.summary.models
    points = [point for point in data.summary.front if models[point.model].latency_ms]
    points.sort(
        key=lambda point: (
            data.order(models[point.model].setting),
            point.top1_error_percent,
        )
    )
    rows = tuple(
        (
            models[point.model].label,
            where(models[point.model].setting),
            point.source,
            "yes" if point.on_front else "no",
            decimal(point.top1_error_percent, 1),
            latency(models[point.model]),
        )
        for point in points
    )
    columns = (
        Column("model", words=True),
        Column("setting", words=True),
        Column("error from", words=True),
        Column("on the front", words=True),
        Column("top-1 error (%)"),
        Column("latency (ms)"),
    )
    measured = any(point.measured for point in points)
    title = "Models by measured error" if measured else "Variants by published error"
    return Table(data.marked(title), columns, rows)


def facts_table(caption: str, facts: Sequence[tuple[str, str]]) -> Table:
    """Names and what they are."""
    return Table(caption, (Column("", words=True), Column("", words=True)), tuple(facts))


def _models_table(data: ReportData, title: str, models: Sequence[int]) -> Table:
    shown = figures(data)
    rows = tuple(
        (model.label, *(figure.cell(model) for figure in shown))
        for model in (data.summary.models[index] for index in models)
    )
    columns = (Column("model", words=True), *(figure.column for figure in shown))
    brief = None if data.results.target.latency else f"{title}; emulated: no latency"
    return Table(data.marked(title), columns, rows, brief)


def _native_table(data: ReportData, title: str, models: Sequence[int]) -> Table | None:
    rows = []
    for model in (data.summary.models[index] for index in models):
        runs = [
            run
            for run in data.results.native
            if (run.member, run.threads) == (model.model, model.setting.threads)
        ]
        if runs:
            rows.append(
                (
                    model.label,
                    milliseconds(typical_ms(runs)),
                    milliseconds(min(run.minimum_ms for run in runs)),
                    milliseconds(median(run.first_ms for run in runs)),
                    decimal(median(run.init_ms for run in runs), 1, digits=2),
                    str(len(runs)),
                )
            )
    columns = (
        Column("model", words=True),
        Column("median or mean (ms)", "median or\nmean ms"),
        Column("min (ms)", "min\nms"),
        Column("first (ms)", "first\nms"),
        Column("init (ms)", "init\nms"),
        Column("processes"),
    )
    caption = f"{harness()}, another harness: in no ratio and no claim"
    return Table(f"{caption}: {title}", columns, tuple(rows), caption) if rows else None


def _pairs_by_setting(data: ReportData) -> dict[Setting | None, list[PairSummary]]:
    """By the setting that both models have; None: they have two."""
    pairs: dict[Setting | None, list[PairSummary]] = {}
    for pair in data.summary.pairs:
        above, below = _both(data, pair)
        key = above.setting if above.setting == below.setting else None
        pairs.setdefault(key, []).append(pair)
    return pairs


def _pairs_table(data: ReportData, caption: str, brief: str, pairs: Sequence[PairSummary]) -> Table:
    rows = tuple(
        (
            " / ".join(names_of(*_both(data, pair))),
            value_of(pair.ratio, 3),
            interval_of(pair.ratio, 3),
            decimal(_published(data, pair), 2),
            str(pair.ratio.processes),
            str(pair.ratio.rounds),
        )
        for pair in pairs
    )
    columns = (
        Column("model / model", words=True),
        Column("ratio"),
        Column("95% interval"),
        Column("paper"),
        Column("processes", wide_only=True),
        Column("rounds", wide_only=True),
    )
    return Table(data.marked(caption), columns, rows, brief)


def names_of(above: ModelSummary, below: ModelSummary) -> tuple[str, str]:
    """Names that tell the models of a pair apart.

    Labels do where all that differs is in them: not so for engine and format.
    """
    both = above, below
    if above.setting.engine != below.setting.engine:
        return _marked(both, [model.setting.engine or model.setting.format for model in both])
    if above.setting.format != below.setting.format:
        return _marked(both, [model.setting.format for model in both])
    return above.label, below.label


def _marked(both: tuple[ModelSummary, ModelSummary], marks: Sequence[str]) -> tuple[str, str]:
    above, below = (f"{model.label} ({mark})" for model, mark in zip(both, marks, strict=True))
    return above, below


def _both(data: ReportData, pair: PairSummary) -> tuple[ModelSummary, ModelSummary]:
    models = data.summary.models
    return models[pair.numerator], models[pair.denominator]


def _published(data: ReportData, pair: PairSummary) -> float | None:
    """The same ratio in the paper's table."""
    points = []
    for model in _both(data, pair):
        network, size = data.network(model), model.setting.input_size
        point = data.paper.table.point(network, size) if network and size else None
        if point is None:
            return None
        points.append(point)
    return points[0][1] / points[1][1]
