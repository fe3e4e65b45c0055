"""Reasons to doubt a measurement: a closed list, each with its evidence and its remedy.

Ratios are paired within rounds and bear much of what is listed here; a model's own time does not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shufflenet_deploy.bench.analysis.estimates import half_width_percent
from shufflenet_deploy.bench.analysis.selection import MAX_SLOW_SHARE, slow_share
from shufflenet_deploy.bench.analysis.summary import PairSummary, Warning
from shufflenet_deploy.bench.analysis.symptoms import (
    climbing,
    load,
    low_frequency,
    missing_sensors,
    short_memory,
    slow_governor,
    slower_canary,
    throttled,
    throttled_before,
    timed_runs,
    too_many_threads,
    used_up_quota,
)
from shufflenet_deploy.bench.analysis.wording import count
from shufflenet_deploy.bench.results import Model, Results
from shufflenet_deploy.runtime.engines import ENGINES, Doubt
from shufflenet_deploy.runtime.engines.given import UsedInput
from shufflenet_deploy.runtime.worker.warm_up import WINDOW

ARM64 = ("aarch64", "arm64")
"""The names that Linux and macOS give the architecture ARM64."""

_VIRTUAL = "linux,dummy-virt"
"""The board's name of QEMU's machine `virt`: on ARM hardware its processor is real, elsewhere
emulated."""

Pairs = tuple[PairSummary, ...]
Look = Callable[[Results, Pairs], str | Doubt | None]
"""Looks for a kind of doubt in results and their ratios. Returns the evidence, as a `Doubt` where
there is a better remedy than the kind's; None where there is nothing."""


class Kind(NamedTuple):
    """One of the list."""

    meaning: str
    remedy: str
    look: Look


def find_warnings(results: Results, pairs: Pairs) -> tuple[Warning, ...]:
    """What `results`, and the ratios derived from them, deserve; the gravest first."""
    return tuple(
        Warning(code=code, evidence=evidence, remedy=remedy)
        for code, kind in KINDS.items()
        if (seen := kind.look(results, pairs))
        for evidence, remedy in [seen if isinstance(seen, Doubt) else (seen, kind.remedy)]
    )


def _alone(look: Callable[[Results], str | Doubt | None]) -> Look:
    """What looks at the results alone."""
    return lambda results, pairs: look(results)


def notes(results: Results) -> tuple[str, ...]:
    """What a reader should know besides, in plain sentences; no reason to doubt the figures."""
    return tuple(_notes(results))


def _notes(results: Results) -> Iterator[str]:
    architecture = results.environment.architecture
    if architecture.lower() not in ARM64:
        yield (
            f"This processor is {architecture}, no ARM64: what the paper says of time is said of "
            "ARM processors and need not hold here."
        )
    slow = slow_share(results)
    if slow:
        consequence = (
            "Where enough others remain, latencies and ratios are of those; percentiles, outliers "
            "and distributions are of all."
            if slow <= MAX_SLOW_SHARE
            else "Those are too many to set aside, so that all figures are of all bursts."
        )
        yield (
            f"In {slow:.0%} of the bursts the processor was slower than at its best, as a fixed "
            f"computation beside each of them shows. {consequence}"
        )
    for model in results.models:
        if model.probe and model.probe.inputs:
            yield f"{model.called} got {'; '.join(map(_input, model.probe.inputs))}."
    options = [model.options for model in results.models if model.options]
    if any(made_of.weights == "random" for made_of in options):
        yield "Networks with random weights take as long as trained ones, and recognise nothing."
    if any(
        made_of.network == "alexnet" and made_of.input_size != (224, 224) for made_of in options
    ):
        yield (
            "At sizes other than 224x224, AlexNet's last map is pooled adaptively to the 6x6 that "
            "its classifier takes; the paper does not say what it did."
        )


def _input(used: UsedInput) -> str:
    """What an input got, such as ``x: 1x3x48x192 float32, random normal``."""
    shape = "x".join(map(str, used.shape)) or "one"
    values = {"normal": "random normal", "all": "random, of all values"}.get(used.values)
    return f"{used.name}: {shape} {used.dtype}, {values or used.values}"


def _emulated(results: Results) -> str | None:
    if results.target.latency:
        return None
    return f"{results.target.board} is no real processor: its results have no latency"


def _other_board(results: Results) -> str | None:
    target, name = results.target, results.environment.board
    if not target.expected or (name and name.startswith(target.expected)):
        return None
    says = f"calls itself {name}" if name else "does not say what it is"
    return f"{target.board} was asked for, a {target.expected[0]}, and the machine {says}"


def _virtual(results: Results) -> str | None:
    name = results.environment.board
    if not results.target.latency or name != _VIRTUAL:
        return None
    return f"the machine calls itself {name}, as QEMU's virtual machines for ARM do"


def _slow_engine(results: Results) -> Doubt | None:
    """What the engines themselves make of their remarks."""
    doubts = {model.called: doubt for model in results.models if (doubt := _doubt(model))}
    evidence = _first_of([f"{name} {doubt.reason}" for name, doubt in doubts.items()])
    if evidence is None:
        return None
    return Doubt(evidence, "; ".join(dict.fromkeys(doubt.remedy for doubt in doubts.values())))


def _doubt(model: Model) -> Doubt | None:
    engine = ENGINES.get(model.engine)
    if engine is None or engine.doubt is None or model.probe is None:
        return None
    precision = model.options.precision if model.options else None
    return engine.doubt()(model.probe.engine, model.probe.remarks, precision)


def _unstable(results: Results) -> str | None:
    processes = timed_runs(results)
    timed = Counter(model.member for run in processes for model in run.models)
    # Of a slow model there are too few runs to tell; each of its bursts begins with as many again.
    unstable = Counter(
        model.member
        for run in processes
        for model in run.models
        if not model.stable and len(model.warm_up_ns) >= 2 * WINDOW
    )
    return _first_of(
        [
            f"{results.models[member].called} was still becoming faster when its warm-up ended, "
            f"in {runs} of {count(timed[member], 'run')}"
            for member, runs in unstable.most_common()
        ]
    )


def _imprecise(results: Results, pairs: Pairs) -> str | None:
    percent = results.parameters.interval_percent
    widths = [(half_width_percent(pair.ratio), pair.block) for pair in pairs]
    wide = [
        (math.inf if width is None else width, block)
        for width, block in widths
        if width is None or width > percent
    ]
    if not wide:
        return None
    width, block = max(wide)
    known = "from too few processes to tell" if width == math.inf else f"to {width:.1f}%"
    return (
        f"{len(wide)} of {len(pairs)} ratios are not known to {percent:g}%; "
        f"the worst is of {block}, known {known}"
    )


def _first_of(sentences: list[str]) -> str | None:
    if not sentences:
        return None
    others = sentences[1:]
    return sentences[0] + (f"; and {count(len(others), 'more such model')}" if others else "")


KINDS = {
    "emulated": Kind("its time is no latency", "measure on a device", _alone(_emulated)),
    "other-board": Kind(
        "it may be another machine than the one that was asked for",
        "name the board that it is, or describe it in your own devices.toml",
        _alone(_other_board),
    ),
    "virtual-machine": Kind(
        "where its processor is emulated, its time is no latency",
        "if it is emulated, describe it with latency = false in your own devices.toml",
        _alone(_virtual),
    ),
    "throttled": Kind(
        "the system slowed the processor while it was measured",
        "use the supply that the board's maker names, and a heat sink with a fan, then reboot and "
        "measure again; let a phone cool down, out of its case",
        _alone(throttled),
    ),
    "too-many-threads": Kind(
        "threads that share a core wait for each other",
        "measure with no more --threads than that, or lift the affinity or the container's limit",
        _alone(too_many_threads),
    ),
    "quota": Kind(
        "a container's limit stopped the worker again and again",
        "lift the limit of its cgroup (cpu.max), or measure with fewer --threads",
        _alone(used_up_quota),
    ),
    "low-frequency": Kind(
        "a core ran below the frequency that it is made for",
        "cool it, set the governor to performance, lift any limit of the frequency; on a PC "
        "switch turbo off",
        _alone(low_frequency),
    ),
    "slower-canary": Kind(
        "the same work took longer at the end than at the start",
        "cool it, or measure with --cool-down; on a shared or virtual machine rely on ratios, not "
        "on times",
        _alone(slower_canary),
    ),
    "other-load": Kind(
        "something else ran meanwhile",
        "stop what else runs, see top; where you cannot, rely on ratios, not on times",
        _alone(load),
    ),
    "short-memory": Kind(
        "the system was about to run out of memory",
        "stop what else runs, or measure fewer or smaller models",
        _alone(short_memory),
    ),
    "slow-engine": Kind(
        "the engine did not take its fast path",
        "export with --lowering fast",
        _alone(_slow_engine),
    ),
    "climbing": Kind(
        "the temperature had not come to rest",
        "cool it, measure with --cool-down, or for longer, until the temperature stays",
        _alone(climbing),
    ),
    "governor": Kind(
        "the system may lower a core's frequency",
        "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        _alone(slow_governor),
    ),
    "unstable-warm-up": Kind(
        "a model was timed before its time had stopped falling",
        "measure again on a machine at rest",
        _alone(_unstable),
    ),
    "imprecise": Kind(
        "a ratio is known less well than was wanted",
        "measure with more --processes or --rounds, on a machine at rest",
        _imprecise,
    ),
    "throttled-before": Kind(
        "the firmware slowed the processor before it was measured",
        "it may come again: use the supply that the board's maker names, and a heat sink",
        _alone(throttled_before),
    ),
    "missing-sensors": Kind(
        "what a sensor would have told is not known to be good",
        "rely on the canary, a fixed computation that tells of slowing down on every machine",
        _alone(missing_sensors),
    ),
}
"""Every kind of warning by its code, the gravest first."""
