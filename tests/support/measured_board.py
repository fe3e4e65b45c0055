"""Results of a board that becomes warm while it is measured, made of nothing but dice."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from msgspec.structs import replace

from shufflenet_deploy.bench.analysis.summarise import summarise
from shufflenet_deploy.bench.measure.plan import plan
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.results import (
    Block,
    Checked,
    CheckedModel,
    FirstUse,
    Model,
    Parameters,
    Probe,
    Results,
    Run,
    Target,
    Timed,
    TimedModel,
)
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.spec import Burst, Canary

SIZES = ((224, 224), (480, 640), (720, 1280))
ENGINES = {"onnx": ("onnxruntime", "1.32.0"), "tflite": ("litert", "2.3.0")}
PROCESSES, ROUNDS, TIMED = 5, 8, 3

# Millions of multiply-adds, and milliseconds at 224x224 of each engine: such that every outcome of
# a verdict occurs.
NETWORKS = {
    Network(name="shufflenet-v1", groups=3, scale=0.5): (38.6, 15.5, 10.1),
    Network(name="shufflenet-v1", groups=3, scale=1.0): (139.5, 38.0, 24.2),
    Network(name="shufflenet-v1", groups=3, scale=2.0): (524.9, 108.9, 88.0),
    Network(name="alexnet"): (714.7, 203.0, 151.0),
    Network(name="mobilenet-v1", scale=1.0): (568.7, 104.0, 71.0),
}
ONLY_SMALL = {
    Network(name="shufflenet-v1-se", groups=3, scale=2.0): (527.4, 146.0, 110.2),
    Network(name="shufflenet-v1", groups=1, scale=1.0): (143.0, 32.9, 22.0),
    Network(name="shufflenet-v1", groups=2, scale=1.0): (140.1, 36.1, 23.4),
    Network(name="shufflenet-v1", groups=4, scale=1.0): (134.5, 38.4, 26.2),
    Network(name="shufflenet-v1", groups=8, scale=1.0): (136.4, 44.1, 31.0),
}

ENVIRONMENT = Environment(
    board="Raspberry Pi 4 Model B Rev 1.4",
    processor="Cortex-A72",
    architecture="aarch64",
    cores=4,
    kernel="6.12.25+rpt-rpi-v8",
    total_memory_bytes=3_980_000_000,
    maximum_mhz=dict.fromkeys(range(4), 1800.0),
    python_version="3.11.2",
    package_versions={"numpy": "2.4.6", "onnxruntime": "1.32.0", "tflite-runtime": None},
)
TARGET = Target(
    board="rpi4",
    kind="ssh",
    expected=("Raspberry Pi 4",),
    latency=True,
    published_peak_gflops=14.4,
    published_peak_source="reference/arm_peak.csv",
)


def derived(results: Results, notes: tuple[str, ...] = ("Weights are random.",)) -> ReportData:
    """`results` with what they say."""
    paper = load_paper()
    return ReportData(results, summarise(results, paper), paper, notes)


def a_measurement(
    latency: bool = True,
    sensors: bool = True,
    sizes: tuple[tuple[int, int], ...] = SIZES,
    threads: tuple[int, ...] = (1,),
    foreign: tuple[str, ...] = (),
) -> Results:
    """Results of a board that becomes warm; `foreign` are names of other tools' files."""
    dice = random.Random(0)
    models = [*_models(sizes, latency), *(_foreign(name, latency) for name in foreign)]
    blocks = plan(models, load_paper(), threads, 0)
    clock = _Clock(dice, sensors)
    return Results(
        created="2026-03-04T05:06:07+00:00",
        target=replace(TARGET, latency=latency, board="rpi4" if latency else "emulated"),
        environment=ENVIRONMENT,
        parameters=Parameters(threads=threads),
        suite="claims",
        peak_multiply_adds_per_second=dict.fromkeys(threads, 6.4e9) if latency else {},
        models=tuple(models),
        blocks=tuple(blocks),
        runs=tuple(
            _timed(block, process, models, clock, dice) if latency else _checked(block, process)
            for block in blocks
            for process in range(PROCESSES)
        ),
        ended="done",
    )


def _models(sizes: tuple[tuple[int, int], ...], latency: bool) -> Iterator[Model]:
    for format_ in ENGINES:
        for size in sizes:
            networks = NETWORKS | ONLY_SMALL if size == (224, 224) else NETWORKS
            for network, (multiply_adds_m, *_) in networks.items():
                options = Options(
                    network=network.name,
                    groups=network.groups,
                    scale=network.scale,
                    input_size=size,
                    format=format_,
                )
                pixels = size[0] * size[1] / 224**2
                yield _model(options.file_name, format_, options, multiply_adds_m * pixels, latency)


def _foreign(name: str, latency: bool) -> Model:
    return _model(name, "onnx", None, None, latency)


def _model(
    name: str, format_: str, options: Options | None, multiply_adds_m: float | None, latency: bool
) -> Model:
    engine, version = ENGINES[format_]
    return Model(
        name=name,
        path=f"artifacts/{name}",
        sha256="0" * 64,
        format=format_,
        engine=engine,
        options=options,
        multiply_adds=round(multiply_adds_m * 1e6) if multiply_adds_m else None,
        probe=Probe(
            engine=engine,
            engine_version=version,
            remarks={"delegate_partitions": 1} if format_ == "tflite" else {},
            difference=1e-6,
            peak_memory_bytes=93_000_000,
            first_use=FirstUse(load_ms=41.0, first_run_ms=67.0) if latency else None,
        ),
    )


class _Clock:
    """Time goes on, the board becomes warm, and once it is too warm it becomes slow."""

    def __init__(self, dice: random.Random, sensors: bool) -> None:
        self.seconds = 5.0
        self._dice = dice
        self._sensors = sensors

    @property
    def celsius(self) -> float:
        return 82 - 34 * math.pow(0.975, self.seconds / 4)

    def state(self, since: float) -> State:
        hot = self.celsius > 80
        celsius = self.celsius + self._dice.uniform(-0.4, 0.4)
        mhz = 1500.0 if hot else 1800.0
        return State(
            seconds=self.seconds - since,
            governors=dict.fromkeys(range(4), "ondemand") if self._sensors else {},
            frequencies_mhz=dict.fromkeys(range(4), mhz) if self._sensors else {},
            temperatures_c={"cpu-thermal": celsius} if self._sensors else {},
            throttled=(0x20002 if hot else 0) if self._sensors else None,
            load_average=(1.0, 0.8, 0.5),
            available_memory_bytes=2_000_000_000,
            busy_seconds=self.seconds,
            own_seconds=self.seconds - since,
        )


def _timed(
    block: Block, process: int, models: list[Model], clock: _Clock, dice: random.Random
) -> Run:
    start = clock.seconds
    states = []
    level = dice.gauss(1, 0.004)
    for _ in range(4):
        states.append(clock.state(start))
        clock.seconds += 1.3
    slow = round(1e6 * dice.gauss(2, 0.01))
    return Timed(
        block=block.id,
        process=process,
        start_seconds=start,
        stopped="rounds",
        states=tuple(states),
        canary=Canary(start_ns=(slow,) * 5, end_ns=(round(slow * dice.gauss(1.01, 0.006)),) * 5),
        models=tuple(
            TimedModel(
                member=member,
                warm_up_ns=(2_000_000, 1_000_000),
                stable=True,
                bursts=tuple(_bursts(_time_ns(models[member], block.threads) * level, dice)),
            )
            for member in block.members
        ),
    )


def _bursts(time_ns: float, dice: random.Random) -> Iterator[Burst]:
    own = dice.gauss(1, 0.006)  # the memory's layout is another in every process
    for number in range(ROUNDS):
        samples = [round(time_ns * own * (1 + dice.expovariate(90))) for _ in range(TIMED)]
        if dice.random() < 0.02:
            samples[0] = round(samples[0] * dice.uniform(1.05, 1.9))
        yield Burst(
            round=number,
            position=0,
            cold_ns=round(1.3 * time_ns),
            samples_ns=tuple(samples),
        )


def _time_ns(model: Model, threads: int) -> float:
    if model.options is None:
        return 7e6
    network, size = Network.of(model.options), model.options.input_size
    _, onnx, tflite = (NETWORKS | ONLY_SMALL)[network]
    pixels = size[0] * size[1] / 224**2
    return (
        (onnx if model.format == "onnx" else tflite)
        * 1e6
        * math.pow(pixels, 0.97)
        / math.pow(threads, 0.8)
    )


def _checked(block: Block, process: int) -> Run:
    checked = tuple(CheckedModel(member=member, difference=1e-6) for member in block.members)
    return Checked(block=block.id, process=process, models=checked)
