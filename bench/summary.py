"""What results say: every figure that is derived from samples, beside the paper's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from shufflenet_deploy.bench.claims import Claim, Paper
from shufflenet_deploy.bench.results import Model, Results
from shufflenet_deploy.bench.statistics import (
    Series,
    burst_medians,
    median_absolute_deviation,
    over_rounds,
    paired_ratio,
)
from shufflenet_deploy.bench.suites import Network

ALEXNET = Network(name="alexnet")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What two models of one format have in common whose times are comparable."""

    input_size: tuple[int, int]
    precision: str
    lowering: str

    @staticmethod
    def of(model: Model) -> Setting:
        """The setting in which `model` was measured."""
        options = model.options
        return Setting(
            input_size=options.input_size, precision=options.precision, lowering=options.lowering
        )


class ModelSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A model's figures; None where it was not measured or there is nothing to compare with."""

    name: str
    rounds: int
    latency_ms: float | None
    """Median over rounds of the median of the round's timed runs."""
    spread_percent: float | None
    """Median absolute deviation of the rounds' medians, by `latency_ms`."""
    times_faster_than_alexnet: float | None
    """Than AlexNet in the same setting: median over rounds of the ratio within a round."""
    paper_times_faster_than_alexnet: float | None
    """The same of the paper's table 8, where that has this network at this size."""


class ClaimSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A claim's statistic in one format and setting."""

    claim: str
    format: str
    setting: Setting
    measured: float | None
    """Median over rounds of the statistic within a round; None where a network is missing."""
    paper_table: float | None
    """The same statistic on the paper's table 8 at this size."""
    paper_says: float
    theoretical: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All derived figures of a measurement; models are in the order of the results."""

    models: tuple[ModelSummary, ...]
    claims: tuple[ClaimSummary, ...]


def summarise(results: Results, paper: Paper) -> Summary:
    """Derive every figure from `results`."""
    series = [burst_medians(model.bursts) for model in results.models]
    peers: dict[tuple[str, Setting], dict[Network, int]] = {}
    for index, model in enumerate(results.models):
        # Of two builds of one network the first stands for it.
        peers.setdefault(_key(model), {}).setdefault(Network.of(model.options), index)
    return Summary(
        models=tuple(
            _model(model, own, _alexnet(peers[_key(model)], series), paper)
            for model, own in zip(results.models, series, strict=True)
        ),
        claims=tuple(
            ClaimSummary(
                claim=claim.id,
                format=format_,
                setting=setting,
                measured=_measured(claim, members, results.models, series),
                paper_table=paper.table_value(claim, setting.input_size),
                paper_says=claim.says,
                theoretical=claim.theoretical,
            )
            for (format_, setting), members in peers.items()
            for claim in paper.claims
        ),
    )


def _key(model: Model) -> tuple[str, Setting]:
    return model.options.format, Setting.of(model)


def _alexnet(members: Mapping[Network, int], series: Sequence[Series]) -> Series:
    return series[members[ALEXNET]] if ALEXNET in members else {}


def _model(model: Model, own: Series, alexnet: Series, paper: Paper) -> ModelSummary:
    latency = median(own.values()) if own else None
    spread = median_absolute_deviation(list(own.values())) if own else None
    size = model.options.input_size
    ours = paper.table.point(Network.of(model.options), size)
    theirs = paper.table.point(ALEXNET, size)
    return ModelSummary(
        name=model.name,
        rounds=len(own),
        latency_ms=latency / 1e6 if latency else None,
        spread_percent=100 * spread / latency if latency and spread is not None else None,
        times_faster_than_alexnet=paired_ratio(alexnet, own) if alexnet and own else None,
        paper_times_faster_than_alexnet=theirs[1] / ours[1] if ours and theirs else None,
    )


def _measured(
    claim: Claim,
    members: Mapping[Network, int],
    models: Sequence[Model],
    series: Sequence[Series],
) -> float | None:
    indices = [members[network] for network in claim.networks if network in members]
    chosen = [series[index] for index in indices]
    if len(indices) < len(claim.networks) or not all(chosen):
        return None
    multiply_adds = [float(models[index].multiply_adds) for index in indices]
    return over_rounds(
        lambda times: claim.value(list(zip(multiply_adds, times, strict=True))), chosen
    )
