"""A user's own models side by side: which is fastest, by how much, how certain, at what cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from shufflenet_deploy.bench.analysis.summary import Accuracy, Estimate, ModelSummary, RatioMatrix
from shufflenet_deploy.bench.analysis.wording import (
    MISSING,
    count,
    decimal,
    interval_ms,
    interval_of,
    latency,
    listed,
    names_of_all,
    number,
    span,
    top1,
)
from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.report.data import ReportData

SAME = "≈"
"""Stands before a ratio whose interval holds 1: there may be no difference."""


@dataclass(frozen=True)
class Overview:
    """What stands before any claim."""

    answers: tuple[str, ...]
    """What follows from the figures, a sentence each."""
    models: Table
    matrices: tuple[Table, ...]
    """Each model's time by every other's, of more than two in the same processes."""


def overview(data: ReportData) -> Overview | None:
    """Of models that the user named; None of one alone, and of a suite, which has its claims."""
    if data.results.suite is not None or len(data.summary.models) < 2:
        return None
    return Overview(
        answers=tuple(_answers(data)),
        models=_models(data),
        matrices=tuple(
            _matrix(data, matrix) for matrix in data.summary.matrices if len(matrix.members) > 2
        ),
    )


def ordered(data: ReportData) -> list[int]:
    """Indices of the models, by their number of threads, the fastest first."""

    def key(index: int) -> tuple[int, float]:
        model = data.summary.models[index]
        return model.setting.threads, model.time_ms

    return sorted(range(len(data.summary.models)), key=key)


def is_beyond_noise(ratio: Estimate) -> bool | None:
    """Whether the interval of a ratio of times excludes 1; None where there is no interval."""
    if ratio.low is None or ratio.high is None:
        return None
    return not ratio.low <= 1 <= ratio.high


def _answers(data: ReportData) -> Iterator[str]:
    names = names_of_all(data.summary.models)
    for matrix in data.summary.matrices:
        yield from _speeds(data, matrix, names)
    yield from _accuracies(data, names)


def _speeds(data: ReportData, matrix: RatioMatrix, names: Sequence[str]) -> Iterator[str]:
    first, *others = matrix.members
    fastest = data.summary.models[first]
    several = len({model.setting.threads for model in data.summary.models}) > 1
    threads = f" with {count(fastest.setting.threads, 'thread')}" if several else ""
    ratios = [
        (names[index], row[0])
        for index, row in zip(others, matrix.ratios[1:], strict=True)
        if row[0]
    ]
    equal = [name for name, ratio in ratios if is_beyond_noise(ratio) is False]
    takes = f"{latency(fastest)} ms"
    if equal:
        yield (
            f"Fastest{threads}: {names[first]} at {takes}, and {listed(equal)} as far as these "
            "runs can tell."
        )
    else:
        yield f"Fastest{threads}: {names[first]} at {takes}."
    for name, ratio in ratios:
        if name not in equal:
            yield f"{name} takes {_ratio(ratio)} times as long as {names[first]}."


def _ratio(ratio: Estimate) -> str:
    """With its interval, in three digits."""
    value = number(ratio.value)
    if ratio.low is None or ratio.high is None:
        return value
    return f"{value} ({interval_of(ratio, len(value.partition('.')[2]))})"


def _accuracies(data: ReportData, names: Sequence[str]) -> Iterator[str]:
    known = [
        (model.accuracy, names[index])
        for index, model in enumerate(data.summary.models)
        if model.accuracy
    ]
    for source in dict.fromkeys(accuracy.data for accuracy, _ in known):
        of_source = {name: accuracy for accuracy, name in known if accuracy.data == source}
        best = max(of_source.values(), key=lambda accuracy: accuracy.top1)
        tops = [name for name, accuracy in of_source.items() if accuracy.top1 == best.top1]
        share = f"{_percent(best)} of {count(best.images, 'image')} of {source}"
        if len(tops) == len(of_source) > 1:
            yield f"All that were evaluated are right as often: {share}."
        else:
            near = [
                name
                for name, accuracy in of_source.items()
                if name not in tops and accuracy.top1 >= best.low
            ]
            also = f"; {listed(near)} as often, as far as these images tell" if near else ""
            yield f"Most often right: {listed(tops)}, {share}{also}."
    front = [
        names[point.model] for point in data.summary.front if point.measured and point.on_front
    ]
    if len(known) > 1 and front:
        yield f"No other is as fast and as often right as: {listed(front)}."


def _percent(accuracy: Accuracy) -> str:
    return f"{decimal(accuracy.top1, 1, 100)}% ({span(100 * accuracy.low, 100 * accuracy.high, 1)})"


def _models(data: ReportData) -> Table:
    columns = list(_columns(data))
    rows = tuple(
        tuple(cell(index, data.summary.models[index]) for _, cell in columns)
        for index in ordered(data)
    )
    return Table(
        data.marked("Models side by side"),
        tuple(column for column, _ in columns),
        rows,
        "side by side",
    )


_Cell = Callable[[int, ModelSummary], str]
"""What stands in a column for a model, which has that index in the summary."""


def _columns(data: ReportData) -> Iterator[tuple[Column, _Cell]]:
    names, is_timed = names_of_all(data.summary.models), data.results.target.latency
    yield Column("model", words=True), lambda index, _: names[index]
    yield (
        Column("engine", words=True, wide_only=True),
        lambda _, model: model.setting.engine or MISSING,
    )
    yield (
        Column("precision", words=True, wide_only=True),
        lambda _, model: model.setting.precision or MISSING,
    )
    several = len({model.setting.threads for model in data.summary.models}) > 1
    yield Column("threads", wide_only=not several), lambda _, model: str(model.setting.threads)
    if is_timed:
        fastest = _by_the_fastest(data)
        yield Column("latency (ms)", "latency\nms"), lambda _, model: latency(model)
        interval = Column("95% interval (ms)", wide_only=True)
        yield interval, lambda _, model: interval_ms(model.latency_ms)
        times = Column("times the fastest", "times the\nfastest")
        yield times, lambda index, _: fastest.get(index, MISSING)
    yield Column("size (MB)", "MB"), lambda _, model: decimal(model.size_bytes, 1, 1e-6, digits=2)
    yield Column("RAM (MB)", "RAM\nMB"), lambda _, model: decimal(model.peak_memory_bytes, 0, 1e-6)
    if is_timed:
        yield Column("load (ms)", "load\nms"), lambda _, model: number(model.load_ms)
    if any(model.accuracy for model in data.summary.models):
        yield Column("top-1 (%)", "top-1\n%"), lambda _, model: top1(model)
        interval = Column("95% interval (%)", wide_only=True)
        yield interval, lambda _, model: _top1_interval(model)


def _top1_interval(model: ModelSummary) -> str:
    if model.accuracy is None:
        return MISSING
    return span(100 * model.accuracy.low, 100 * model.accuracy.high, 1)


def _by_the_fastest(data: ReportData) -> dict[int, str]:
    """Index of a model -> its time by that of the fastest in the same processes."""
    cells = {}
    for matrix in data.summary.matrices:
        cells[matrix.members[0]] = "1"
        for index, row in zip(matrix.members[1:], matrix.ratios[1:], strict=True):
            cells[index] = _cell(row[0])
    return cells


def _cell(ratio: Estimate | None) -> str:
    if ratio is None:
        return MISSING
    return f"{SAME} {_ratio(ratio)}" if is_beyond_noise(ratio) is False else _ratio(ratio)


def _matrix(data: ReportData, matrix: RatioMatrix) -> Table:
    names = names_of_all(data.summary.models)
    columns = tuple(Column(f"/ {number}") for number, _ in enumerate(matrix.members, 1))
    rows = tuple(
        (
            f"{place}: {names[index]}",
            *("1" if column == place else _cell(ratio) for column, ratio in enumerate(row, 1)),
        )
        for place, (index, row) in enumerate(zip(matrix.members, matrix.ratios, strict=True), 1)
    )
    return Table(
        data.marked(
            f"Each row's time by each column's, with 95% intervals; {SAME}: may be the same"
        ),
        (Column("model", words=True), *columns),
        rows,
    )
