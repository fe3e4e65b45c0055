"""Which network to take: published accuracy against measured time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shufflenet_deploy.bench.analysis.summary import FrontPoint, ModelSummary, Setting, Summary
from shufflenet_deploy.bench.paper.claims import ERRORS_SIZE, Paper
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.results import Results


def find_front(
    results: Results, models: Sequence[ModelSummary], paper: Paper
) -> tuple[FrontPoint, ...]:
    """Every model whose error is published, and whether another of its setting is better.

    In fp32 and at the size at which the errors were published: of what int8 costs, the paper knows
    nothing.
    """
    points = [
        (index, model, error)
        for index, model in enumerate(models)
        if (options := results.models[model.model].options)
        and options.precision == "fp32"
        and options.input_size == ERRORS_SIZE
        and (error := paper.error(Network.of(options)))
    ]
    return tuple(
        FrontPoint(
            model=index,
            top1_error_percent=error.top1_error_percent,
            source=f"the paper's {error.place}",
            on_front=model.latency_ms is not None
            and not any(
                other.setting == model.setting
                and _time(other) < _time(model)
                and better.top1_error_percent < error.top1_error_percent
                for _, other, better in points
            ),
        )
        for index, model, error in points
    )


def most_accurate(summary: Summary, budget_ms: float) -> dict[Setting, FrontPoint | None]:
    """For each setting the variant of least error that takes at most `budget_ms`.

    It fits where the upper end of its time's interval does. None where nothing fits.
    """
    best: dict[Setting, FrontPoint | None] = {}
    for point in summary.front:
        model = summary.models[point.model]
        now = best.setdefault(model.setting, None)
        latency = model.latency_ms
        fits = latency and (latency.value if latency.high is None else latency.high) <= budget_ms
        if fits and (now is None or point.top1_error_percent < now.top1_error_percent):
            best[model.setting] = point
    return best


def _time(model: ModelSummary) -> float:
    return model.latency_ms.value if model.latency_ms else math.inf
