"""How fast the models of one file are, in logs, and how much each process moved that.

Processes are the units of uncertainty. Models that were timed in the same processes share what
disturbed these, so each figure keeps what every process contributed to it: of a sum of figures, the
contributions are added first and squared then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.bench.analysis.statistics import Interval, t_quantile

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Process:
    """One worker process."""

    block: str
    logs: Mapping[int, float]
    """Model -> natural logarithm of its median latency in nanoseconds; models that it did not time
    are not in it."""


@dataclass(frozen=True)
class Effects:
    """A figure of each model."""

    values: Array
    """The figure of each model, (models,): an absolute or relative log latency."""
    parts: Array
    """What each process contributed, (processes, models): a column's squares sum to the variance of
    that model's value."""
    degrees: Array
    """Degrees of freedom of each model's variance, (models,); below 1 nothing tells how far the
    value moves."""


def absolute(processes: Sequence[Process], models: int) -> Effects:
    """Mean over processes of each model's log latency; every model must be in one of them."""
    logs = _table(processes, models)
    counts = (~np.isnan(logs)).sum(axis=0)
    values = np.nanmean(logs, axis=0)
    parts = np.nan_to_num(logs - values) / counts * _correction(counts)
    return Effects(values, parts, counts - 1.0)


def relative(processes: Sequence[Process], models: int) -> tuple[Effects, Mask]:
    """Log latencies by those of the other models, compared only within processes.

    The least squares of log latency = model + process: a process that was slow as a whole tells
    nothing, and two models that never met are compared through those that both met. Each value is
    relative to the mean of the models that it can be compared with so. Also returns which those
    are, models x models.
    """
    logs = _table(processes, models)
    present = ~np.isnan(logs)
    together = np.zeros((models, models))
    for here in present:
        together += _centring(here)
    inverse = np.linalg.pinv(together, hermitian=True)
    centred = np.array(
        [_centring(here) @ np.nan_to_num(row) for here, row in zip(present, logs, strict=True)]
    )
    values = inverse @ centred.sum(axis=0)
    blocks = [process.block for process in processes]
    counts = np.array([blocks.count(block) for block in blocks])
    fitted = np.array([_centring(here) @ values for here in present])
    parts = (centred - fitted) @ inverse * _correction(counts)[:, None]
    comparable = np.abs(inverse @ together) > 1e-6
    degrees = np.array(
        [
            min(counts[(present[:, others].sum(axis=1) > 1)], default=1) - 1.0
            for others in comparable
        ]
    )
    return Effects(values, parts, degrees), comparable


def change(before: Effects, after: Effects, weights: Array, among: Mask) -> Interval:
    """exp of the weighted sum of how the models' values changed, with its 95% interval.

    Welch's: the files' variances need not be equal. The degrees of freedom are those of the model
    with the fewest processes of those `among` which the weights were chosen.
    """
    log = float(weights @ (after.values - before.values))
    degrees = [float(effects.degrees[among].min()) for effects in (before, after)]
    if min(degrees) < 1:
        return Interval(math.exp(log), None, None)
    variances = [float(((effects.parts @ weights) ** 2).sum()) for effects in (before, after)]
    total = sum(variances)
    if total == 0:
        return Interval(math.exp(log), math.exp(log), math.exp(log))
    freedom = total**2 / sum(
        variance**2 / degree for variance, degree in zip(variances, degrees, strict=True)
    )
    half = t_quantile(0.975, freedom) * math.sqrt(total)
    return Interval(math.exp(log), math.exp(log - half), math.exp(log + half))


def _table(processes: Sequence[Process], models: int) -> Array:
    """Processes x models; NaN where a process did not time a model."""
    table = np.full((len(processes), models), np.nan)
    for row, process in enumerate(processes):
        for model, log in process.logs.items():
            table[row, model] = log
    return table


def _correction(counts: NDArray[np.int_]) -> Array:
    """From the spread around a mean of so many values to that around the true one.

    Of a single value the spread is 0, and stays so.
    """
    correction: Array = np.sqrt(counts / np.maximum(counts - 1, 1))
    return correction


def _centring(present: Mask) -> Array:
    """Takes from each of the models that are present the mean of these."""
    ones = present.astype(np.float64)
    centring: Array = np.diag(ones) - np.outer(ones, ones) / max(ones.sum(), 1)
    return centring
