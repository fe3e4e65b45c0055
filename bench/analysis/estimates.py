"""Ratios and claims' statistics of a block, with intervals, from the samples in the results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from msgspec.structs import replace

from shufflenet_deploy.bench.analysis import statistics
from shufflenet_deploy.bench.analysis.selection import select_bursts
from shufflenet_deploy.bench.analysis.statistics import Series, burst_medians
from shufflenet_deploy.bench.analysis.summary import Estimate
from shufflenet_deploy.bench.paper.claims import Paper
from shufflenet_deploy.bench.results import Block, Results

Process = Mapping[int, Series]
"""One process's times of a block's models: model -> round -> median of the round's timed runs, in
nanoseconds."""


def processes(results: Results, block: Block) -> list[Process]:
    """The samples of each process of `block` that count; none where its time is no latency."""
    return [
        {model.member: burst_medians(model.bursts) for model in run.models if model.bursts}
        for run in select_bursts(results)
        if run.block == block.id
    ]


def ratios(results: Results, block: Block, paper: Paper) -> dict[int, Estimate]:
    """Model -> its time by that of the block's base model, which has no entry itself."""
    base = base_of(block, paper)
    measured = processes(results, block)
    estimates = {}
    for member in block.members:
        if member != base:
            estimate = _estimate(measured, (member, base), lambda times: times[0] / times[1])
            if estimate:
                estimates[member] = estimate
    return estimates


def matrix(
    results: Results, block: Block, members: Sequence[int]
) -> tuple[tuple[Estimate | None, ...], ...]:
    """A row for each of `members`, of one block: its time by that of each of them.

    None on the diagonal, and for two that no process timed both.
    """
    measured = processes(results, block)
    above = {
        (row, column): _estimate(measured, (row, column), lambda times: times[0] / times[1])
        for index, column in enumerate(members)
        for row in members[index + 1 :]
    }
    below = {(row, column): _inverse(estimate) for (column, row), estimate in above.items()}
    known = above | below
    return tuple(tuple(known.get((row, column)) for column in members) for row in members)


def _inverse(estimate: Estimate | None) -> Estimate | None:
    """Of a ratio that of the other by the one: logarithms change their sign, and so ends places."""
    if estimate is None:
        return None

    def one_by(value: float | None) -> float | None:
        return None if value is None else 1 / value

    bootstrap = estimate.bootstrap
    return replace(
        estimate,
        value=1 / estimate.value,
        low=one_by(estimate.high),
        high=one_by(estimate.low),
        bootstrap=(1 / bootstrap[1], 1 / bootstrap[0]) if bootstrap else None,
    )


def base_of(block: Block, paper: Paper) -> int:
    """The model by whose time the others' are divided.

    A claim's ratio says which; else it is the first: the smallest, or the one that was named first.
    """
    if block.claim and paper.claim(block.claim).statistic == "ratio":
        return block.members[-1]
    return block.members[0]


def claimed(results: Results, block: Block, paper: Paper) -> Estimate | None:
    """The statistic of the block's claim; None where the samples do not give it."""
    if block.claim is None:
        return None
    claim = paper.claim(block.claim)
    counts = [results.models[member].multiply_adds for member in block.members]

    def statistic(times: Sequence[float]) -> float:
        points = [(float(count or 0), time) for count, time in zip(counts, times, strict=True)]
        return paper.value(claim, points)

    return _estimate(processes(results, block), block.members, statistic)


def is_known(results: Results, block: Block, paper: Paper) -> bool:
    """Whether what the block is for is known as well as the parameters want it."""
    estimates = [claimed(results, block, paper), *ratios(results, block, paper).values()]
    wanted_percent = results.parameters.interval_percent
    widths = [half_width_percent(estimate) for estimate in estimates if estimate]
    return all(width is not None and width <= wanted_percent for width in widths)


def half_width_percent(estimate: Estimate) -> float | None:
    """Half the width of the interval by the value; None where there is no interval."""
    if estimate.low is None or estimate.high is None:
        return None
    return 100 * (estimate.high - estimate.low) / 2 / estimate.value


def _estimate(
    measured: Sequence[Process],
    members: Sequence[int],
    statistic: Callable[[Sequence[float]], float],
) -> Estimate | None:
    """Of `statistic` of the times of `members`, over the processes that timed all of them."""
    series = [
        [process[member] for member in members]
        for process in measured
        if all(process.get(member) for member in members)
    ]
    series = [of_process for of_process in series if statistics.shared_rounds(of_process)]
    if not series:
        return None
    logs = statistics.per_process(statistic, series)
    interval = statistics.log_interval(logs)
    rounds = sum(len(statistics.shared_rounds(of_process)) for of_process in series)
    return Estimate(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        processes=len(series),
        rounds=rounds,
        bootstrap=_bootstrap(tuple(logs)),
    )


@cache
def _bootstrap(logs: tuple[float, ...]) -> tuple[float, float] | None:
    """Cached, since it takes thousands of resamples and the live view asks again and again."""
    if len(logs) < statistics.BOOTSTRAP_MIN:
        return None
    _, low, high = statistics.bootstrap_interval(logs, seed=0)
    return math.exp(low), math.exp(high)
