"""Which network to take: its accuracy against measured time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shufflenet_deploy.bench.analysis.summary import FrontPoint, ModelSummary, Setting, Summary
from shufflenet_deploy.bench.paper.claims import ERRORS_SIZE, Paper
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.results import Results


@dataclass(frozen=True)
class _Point:
    """A model whose error is known."""

    index: int
    model: ModelSummary
    error_percent: float
    source: str
    measured: bool

    @property
    def compared(self) -> tuple[object, ...]:
        """What models have in common that are compared.

        A published error is of fp32 on any engine, so that only what else is equal compares; one
        that was measured is of the very file, and compares on the same images whatever runs it.
        """
        if self.measured:
            return "measured", self.source, self.model.setting.threads
        return "published", self.model.setting

    def beats(self, other: _Point) -> bool:
        """Whether this one is no worse in anything, and better in something."""
        own, others = ((point.model.time_ms, point.error_percent) for point in (self, other))
        return own != others and own[0] <= others[0] and own[1] <= others[1]


def find_front(
    results: Results, models: Sequence[ModelSummary], paper: Paper
) -> tuple[FrontPoint, ...]:
    """Every model whose error is known, and whether another that it is compared with is better.

    Errors that were measured come first: where there are any, published ones are left out. Those
    are of fp32 and of one size of the input: of what int8 costs, the paper knows nothing.
    """
    points = list(_measured(models)) or list(_published(results, models, paper))
    return tuple(
        FrontPoint(
            model=point.index,
            top1_error_percent=point.error_percent,
            source=point.source,
            measured=point.measured,
            on_front=point.model.latency_ms is not None
            and not any(
                other.compared == point.compared and other.beats(point) for other in points
            ),
        )
        for point in points
    )


def _measured(models: Sequence[ModelSummary]) -> Iterator[_Point]:
    for index, model in enumerate(models):
        if model.accuracy:
            error_percent = 100 * (1 - model.accuracy.top1)
            yield _Point(index, model, error_percent, f"measured on {model.accuracy.data}", True)


def _published(results: Results, models: Sequence[ModelSummary], paper: Paper) -> Iterator[_Point]:
    for index, model in enumerate(models):
        options = results.models[model.model].options
        if not options or options.precision != "fp32" or options.input_size != ERRORS_SIZE:
            continue
        error = paper.error(Network.of(options))
        if error:
            source = f"the paper's {error.place}"
            yield _Point(index, model, error.top1_error_percent, source, False)


def most_accurate(summary: Summary, budget_ms: float) -> dict[Setting | int, FrontPoint | None]:
    """The model of least error that takes at most `budget_ms`.

    For each setting, or for each number of threads where errors were measured. It fits where the
    upper end of its time's interval does. None where nothing fits.
    """
    best: dict[Setting | int, FrontPoint | None] = {}
    for point in summary.front:
        model = summary.models[point.model]
        key = model.setting.threads if point.measured else model.setting
        now = best.setdefault(key, None)
        latency = model.latency_ms
        fits = latency and (latency.value if latency.high is None else latency.high) <= budget_ms
        if fits and (now is None or _cost(summary, point) < _cost(summary, now)):
            best[key] = point
    return best


def _cost(summary: Summary, point: FrontPoint) -> tuple[float, float]:
    return point.top1_error_percent, summary.models[point.model].time_ms
