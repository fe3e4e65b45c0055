"""Results -> `Summary`: every figure that is derived from samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from shufflenet_deploy.bench.analysis import statistics
from shufflenet_deploy.bench.analysis.estimates import base_of, matrix, ratios
from shufflenet_deploy.bench.analysis.pareto import find_front
from shufflenet_deploy.bench.analysis.selection import select_bursts
from shufflenet_deploy.bench.analysis.shares import wilson_interval
from shufflenet_deploy.bench.analysis.summary import (
    Accuracy,
    Estimate,
    ModelSummary,
    PairSummary,
    RatioMatrix,
    Setting,
    Summary,
    Verdict,
)
from shufflenet_deploy.bench.analysis.verdicts import verdict
from shufflenet_deploy.bench.analysis.warnings import find_warnings
from shufflenet_deploy.bench.paper.claims import Paper
from shufflenet_deploy.bench.paper.networks import Network, setting_words
from shufflenet_deploy.bench.results import (
    MeasuredAccuracy,
    Model,
    Native,
    Results,
    Run,
    Timed,
    TimedModel,
)

_Key = tuple[int, int]
"""A model's index in the results and its number of threads: what a `ModelSummary` is of."""


def summarise(results: Results, paper: Paper) -> Summary:
    """Derive every figure from `results`."""
    keys = list(dict.fromkeys(_keys(results)))
    labels = short_labels(results.models)
    counting = select_bursts(results)
    models = tuple(
        _model(
            results,
            model,
            threads,
            labels[model],
            _Times.of(
                every=_samples(results, results.runs, model, threads),
                counting=_samples(results, counting, model, threads),
            ),
        )
        for model, threads in keys
    )
    pairs = tuple(_pairs(results, keys, paper))
    return Summary(
        models=models,
        pairs=pairs,
        matrices=tuple(_matrices(results, keys, models)),
        verdicts=tuple(_verdicts(results, paper)),
        front=find_front(results, models, paper),
        warnings=find_warnings(results, pairs),
    )


def _keys(results: Results) -> Iterator[_Key]:
    """Every model with every number of threads, in the order of the models within each."""
    for threads in results.parameters.threads:
        for index, model in enumerate(results.models):
            if model.probe or model.skipped:
                yield index, threads


def setting_of(model: Model, threads: int) -> Setting:
    """The setting in which `model` is measured."""
    options, probe = model.options, model.probe
    return Setting(
        engine=f"{probe.engine} {probe.engine_version}" if probe else model.engine,
        format=model.format,
        input_size=options.input_size if options else None,
        precision=options.precision if options else None,
        lowering=options.lowering if options else None,
        threads=threads,
    )


def _samples(results: Results, runs: Iterable[Run], model: int, threads: int) -> list[TimedModel]:
    """What each of `runs` that timed `model` with so many threads has of it."""
    blocks = {block.id for block in results.blocks if block.threads == threads}
    return [
        timed
        for run in runs
        if isinstance(run, Timed) and run.block in blocks
        for timed in run.models
        if timed.member == model and timed.bursts
    ]


def _model(
    results: Results, index: int, threads: int, label: str, times: _Times | None
) -> ModelSummary:
    model = results.models[index]
    probe = model.probe
    first_use = probe.first_use if probe else None
    rate = peak = None
    if model.multiply_adds and times:
        rate = model.multiply_adds / (times.latency.value / 1e3)
        peak = results.peak_multiply_adds_per_second.get(threads)
    return ModelSummary(
        model=index,
        label=label,
        setting=setting_of(model, threads),
        samples=len(times.all_ms) if times else 0,
        latency_ms=times.latency if times else None,
        p90_ms=statistics.quantile(times.all_ms, 0.9) if times else None,
        p99_ms=statistics.quantile(times.all_ms, 0.99) if times else None,
        minimum_ms=min(times.all_ms) if times else None,
        mad_percent=times.mad_percent if times else None,
        outliers=times.outliers if times else 0,
        cold_ms=times.cold_ms if times else None,
        load_ms=first_use.load_ms if first_use else None,
        first_run_ms=first_use.first_run_ms if first_use else None,
        peak_memory_bytes=probe.peak_memory_bytes if probe else None,
        remarks=probe.remarks if probe else {},
        size_bytes=model.size_bytes,
        accuracy=_accuracy(model.accuracy) if model.accuracy else None,
        multiply_adds=model.multiply_adds,
        multiply_adds_per_second=rate,
        share_of_peak=rate / peak if rate and peak else None,
        counted=probe.counted if probe and threads == 1 else None,
        native_ms=_native_ms(results, index, threads),
        samples_ms=times.all_ms if times else (),
    )


def typical_ms(native: Sequence[Native]) -> float:
    """Of several processes: the median of their medians, or of their means from an older one."""
    return median(
        process.mean_ms if process.median_ms is None else process.median_ms for process in native
    )


def _native_ms(results: Results, index: int, threads: int) -> float | None:
    processes = [
        process
        for process in results.native
        if (process.member, process.threads) == (index, threads)
    ]
    return typical_ms(processes) if processes else None


@dataclass(frozen=True)
class _Times:
    """A model's times over all its processes, in milliseconds."""

    latency: Estimate
    all_ms: tuple[float, ...]
    mad_percent: float
    outliers: int
    cold_ms: float | None

    @staticmethod
    def of(every: Sequence[TimedModel], counting: Sequence[TimedModel]) -> _Times | None:
        """Of the processes that timed a model, and what of them counts: the latency is of that."""
        by_process = [
            [ns / 1e6 for burst in process.bursts for ns in burst.samples_ns] for process in every
        ]
        if not by_process:
            return None
        everything = tuple(ms for process in by_process for ms in process)
        cold = [
            burst.cold_ns / 1e6
            for process in every
            for burst in process.bursts
            if burst.cold_ns is not None
        ]
        deviation = statistics.median_absolute_deviation(everything)
        return _Times(
            latency=_latency(counting),
            all_ms=everything,
            mad_percent=100 * deviation / median(everything),
            outliers=sum(statistics.outliers(process) for process in by_process),
            cold_ms=median(cold) if cold else None,
        )


def _latency(counting: Sequence[TimedModel]) -> Estimate:
    interval = statistics.log_interval(
        [
            math.log(median(ns / 1e6 for burst in process.bursts for ns in burst.samples_ns))
            for process in counting
        ]
    )
    return Estimate(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        processes=len(counting),
        rounds=sum(len(process.bursts) for process in counting),
    )


def _pairs(results: Results, keys: Sequence[_Key], paper: Paper) -> Iterator[PairSummary]:
    for block in results.blocks:
        base = base_of(block, paper)
        for member, ratio in ratios(results, block, paper).items():
            yield PairSummary(
                block=block.id,
                numerator=keys.index((member, block.threads)),
                denominator=keys.index((base, block.threads)),
                ratio=ratio,
            )


def _matrices(
    results: Results, keys: Sequence[_Key], models: Sequence[ModelSummary]
) -> Iterator[RatioMatrix]:
    for block in results.blocks:
        timed = [
            keys.index((member, block.threads))
            for member in block.members
            if (member, block.threads) in keys
        ]
        timed = [index for index in timed if models[index].latency_ms]
        if block.claim or len(timed) < 2:
            continue
        timed.sort(key=lambda index: models[index].time_ms)
        members = [models[index].model for index in timed]
        yield RatioMatrix(
            block=block.id, members=tuple(timed), ratios=matrix(results, block, members)
        )


def _accuracy(measured: MeasuredAccuracy) -> Accuracy:
    low, high = wilson_interval(measured.right, measured.images)
    among_five = measured.among_five
    return Accuracy(
        data=measured.data,
        images=measured.images,
        top1=measured.right / measured.images,
        low=low,
        high=high,
        top5=None if among_five is None else among_five / measured.images,
    )


def _verdicts(results: Results, paper: Paper) -> Iterator[Verdict]:
    for claim in paper.claims:
        for block in results.blocks:
            if block.claim == claim.id:
                first = results.models[block.members[0]]
                yield verdict(results, block, paper, setting_of(first, block.threads))


def short_labels(models: Sequence[Model]) -> list[str]:
    """Short names, unique among those of a format and engine: without the words all share."""
    words = [setting_words(model.options) if model.options else [] for model in models]
    ours = [set(of_model) for of_model in words if of_model]
    shared = set.intersection(*ours) if ours else set()
    labels = [
        "-".join(
            [Network.of(model.options).label, *(word for word in of_model if word not in shared)]
        )
        if model.options
        else model.name
        for model, of_model in zip(models, words, strict=True)
    ]
    keys = [
        (label, model.format, model.engine) for label, model in zip(labels, models, strict=True)
    ]
    return [
        model.path if keys.count(key) > 1 else key[0]
        for key, model in zip(keys, models, strict=True)
    ]
