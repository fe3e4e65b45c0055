"""What changed between two measurements, A and B, and beyond what noise.

Two kinds of ratio, B / A:

- absolute, of latencies. It sees all that changed, also a machine that became slower meanwhile:
  between two measurements on a shared machine that is up to 1.7 times, far beyond what an interval
  over the processes of each can show. Right on a board of one's own.
- relative: of each model's latency to those of the models that it was measured with, within the
  same processes, so that a slower machine cancels. Right on a shared machine, as CI mostly has. But
  what slows all models alike is not seen. Each change is divided by the median one: by the mean
  one, a model that became faster would make all others look slower, and fail them. Of two models
  nothing tells which one changed, and each is given half of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from shufflenet_deploy.bench.analysis.statistics import Interval
from shufflenet_deploy.bench.analysis.wording import count
from shufflenet_deploy.bench.compare.differences import Difference, differences
from shufflenet_deploy.bench.compare.effects import (
    Effects,
    Mask,
    Process,
    absolute,
    change,
    relative,
)
from shufflenet_deploy.bench.compare.matching import Key, Side
from shufflenet_deploy.bench.results import Results
from shufflenet_deploy.runtime.errors import BenchError

DRIFT = 0.03
"""The change of the canary, as a share, from which on the machine itself counts as faster or
slower."""

Outcome = Literal["faster", "slower", "no change beyond noise", "unknown"]
"""What a ratio with its interval says; ``unknown`` where it has none, since one process alone does
not tell what is noise."""


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """B / A: above 1 B takes longer. With the 95% interval of Welch's t over processes."""

    value: float
    low: float | None
    high: float | None
    outcome: Outcome


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One model with one number of threads."""

    model: str
    """The name of the model's file in A, with its number of threads where these are not all the
    same."""
    same_file: bool
    a_ms: float
    """The model's latency in A in milliseconds: geometric mean over processes of each one's
    median."""
    b_ms: float
    absolute: Ratio
    relative: Ratio | None
    """The change divided by the median one of the models that it was measured with in A and in B;
    None without another such model."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that changed between two measurements."""

    changes: tuple[Change, ...]
    mean: Ratio
    """Geometric mean of the models' absolute ratios."""
    only_a: tuple[str, ...]
    """Names of the models of which only A has times."""
    only_b: tuple[str, ...]
    canary: float | None
    """Time of a fixed computation at the start of each process, B / A; None where one of them has
    none."""
    differences: tuple[Difference, ...]
    """Differences of the machines, their software and how was measured; empty where there are
    none."""

    @property
    def drifted(self) -> bool:
        """Whether the machine itself became faster or slower."""
        return self.canary is not None and abs(math.log(self.canary)) > math.log1p(DRIFT)


def compare(a: Results, b: Results) -> Comparison:
    """Compare the models that both have times of, by what they are made from and threads.

    Raises `BenchError` for results without latency, and where there is no such model.
    """
    for name, results in (("A", a), ("B", b)):
        if not results.target.latency:
            raise BenchError(
                f"{name} was measured on {results.target.board}, which is emulated: its time is "
                "no latency, and there is nothing to compare"
            )
    sides = Side(a), Side(b)
    both, only_a, only_b = _matched(*sides)
    if not both:
        raise BenchError("A and B have no model in common of which both have times")
    processes_a, processes_b = (side.processes(both) for side in sides)
    before, after = (absolute(processes, len(both)) for processes in (processes_a, processes_b))
    relatives = _relatives(processes_a, processes_b, len(both))
    canaries = [side.canary_ns() for side in sides]
    return Comparison(
        changes=tuple(
            Change(
                model=name,
                same_file=sides[0].models[key].sha256 == sides[1].models[key].sha256,
                a_ms=math.exp(before.values[number]) / 1e6,
                b_ms=math.exp(after.values[number]) / 1e6,
                absolute=_mean_change(before, after, np.arange(len(both)) == number),
                relative=relatives[number],
            )
            for number, (key, name) in enumerate(both.items())
        ),
        mean=_mean_change(before, after, np.full(len(both), True)),
        only_a=tuple(only_a.values()),
        only_b=tuple(only_b.values()),
        canary=canaries[1] / canaries[0] if canaries[0] and canaries[1] else None,
        differences=differences(a, b),
    )


def failures(comparison: Comparison, percent: float, relative: bool = False) -> tuple[str, ...]:
    """What became slower by more than `percent`, with an interval wholly above 1: a line each.

    Of the latencies, and their geometric mean; or of the relative ratios, whose median is always 1.
    Raises `BenchError` where no ratio has an interval: a gate that can see nothing is no gate.
    """
    ratios = {
        model.model: model.relative if relative else model.absolute for model in comparison.changes
    }
    if not relative:
        ratios["the geometric mean"] = comparison.mean
    known = {name: ratio for name, ratio in ratios.items() if ratio and ratio.outcome != "unknown"}
    if not known:
        together = "two models together" if relative else "a model"
        raise BenchError(
            f"--fail-above: nothing tells what is noise: A and B must both have measured "
            f"{together}, in at least two processes"
        )
    words = "slower, relative to the others" if relative else "slower"
    return tuple(
        f"{name} is {100 * (ratio.value - 1):.1f}% {words}"
        for name, ratio in known.items()
        if ratio.outcome == "slower" and ratio.value > 1 + percent / 100
    )


def parse_percent(text: str) -> float:
    """``5%`` or ``5`` as 5.0. Raises `BenchError` for what is no percentage from 0 up."""
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = math.nan
    if not 0 <= percent < math.inf:
        raise BenchError(f"--fail-above {text!r}: give a percentage such as 5%", usage=True)
    return percent


def _matched(a: Side, b: Side) -> tuple[dict[Key, str], dict[Key, str], dict[Key, str]]:
    """What both have, what only `a` has, what only `b` has; each with its name for a person."""
    one_number = len({key.threads for key in (*a.models, *b.models)}) == 1

    def name(key: Key, side: Side) -> str:
        threads = "" if one_number else f", {count(key.threads, 'thread')}"
        return side.models[key].called + threads

    return (
        {key: name(key, a) for key in a.models if key in b.models},
        {key: name(key, a) for key in a.models if key not in b.models},
        {key: name(key, b) for key in b.models if key not in a.models},
    )


def _mean_change(before: Effects, after: Effects, of: Mask) -> Ratio:
    return _ratio(change(before, after, of / of.sum(), of))


def _relatives(
    processes_a: Sequence[Process], processes_b: Sequence[Process], models: int
) -> list[Ratio | None]:
    """For each model its change by the median change of all to which both files relate it."""
    (effects_a, comparable_a), (effects_b, comparable_b) = (
        relative(processes, models) for processes in (processes_a, processes_b)
    )
    changes = effects_b.values - effects_a.values
    ratios: list[Ratio | None] = []
    for number, others in enumerate(comparable_a & comparable_b):
        ratio = None
        if others.sum() > 1:
            ordered = sorted(np.flatnonzero(others), key=lambda model: changes[model])
            middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
            weights = np.eye(models)[number]
            weights[middle] -= 1 / len(middle)
            ratio = _ratio(change(effects_a, effects_b, weights, others))
        ratios.append(ratio)
    return ratios


def _ratio(interval: Interval) -> Ratio:
    outcome: Outcome = "no change beyond noise"
    if interval.low is None or interval.high is None:
        outcome = "unknown"
    elif interval.low > 1:
        outcome = "slower"
    elif interval.high < 1:
        outcome = "faster"
    return Ratio(value=interval.value, low=interval.low, high=interval.high, outcome=outcome)
