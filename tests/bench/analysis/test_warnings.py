from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import msgspec
import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.analysis.summary import Estimate, PairSummary
from shufflenet_deploy.bench.analysis.warnings import KINDS, find_warnings, notes
from shufflenet_deploy.bench.results import (
    Block,
    Checked,
    Model,
    Parameters,
    Probe,
    Results,
    Target,
    Timed,
    TimedModel,
)
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.spec import Canary
from waiting import wait_until

GOOD = State(
    seconds=0.0,
    governors={0: "performance", 1: "performance"},
    frequencies_mhz={0: 1500.0, 1: 1500.0},
    temperatures_c={"cpu-thermal": 50.0},
    throttled=0,
    load_average=(1.0, 1.0, 1.0),
    available_memory_bytes=3_000_000_000,
    busy_seconds=100.0,
    own_seconds=1.0,
)
PI = Environment(
    board="Raspberry Pi 4 Model B Rev 1.5",
    processor="Cortex-A72",
    architecture="aarch64",
    cores=2,
    kernel="6.12.0",
    total_memory_bytes=4_000_000_000,
    maximum_mhz={0: 1500.0, 1: 1500.0},
    python_version="3.11.9",
    package_versions={},
)
TARGET = Target(
    board="rpi4",
    kind="ssh",
    expected=("Raspberry Pi 4", "Raspberry Pi Compute Module 4"),
    latency=True,
    published_peak_gflops=None,
    published_peak_source=None,
)
OPTIONS = Options(
    network="shufflenet-v1",
    groups=3,
    scale=0.5,
    input_size=(224, 224),
    format="tflite",
    weights="abcdef01",
)


def a_model(engine: str = "litert", partitions: int | None = 1, **options: object) -> Model:
    chosen = replace(OPTIONS, **options)
    return Model(
        name=chosen.file_name,
        path=chosen.file_name,
        sha256="",
        format=chosen.format,
        engine="onnxruntime" if chosen.format == "onnx" else "litert",
        options=chosen,
        multiply_adds=1,
        probe=Probe(
            engine=engine,
            engine_version="1",
            remarks={} if partitions is None else {"delegate_partitions": partitions},
            difference=0.0,
            peak_memory_bytes=None,
            first_use=None,
        ),
    )


def a_run(
    states: Sequence[Mapping[str, object]] = ({}, {}, {}),
    canary: tuple[int, int] = (100, 100),
    unstable: Sequence[int] = (),
    start: float = 0.0,
) -> Timed:
    """A run whose states differ from good ones in what is given; they are 2 s apart."""
    apart = [
        replace(GOOD, seconds=2.0 * index, busy_seconds=100 + 2.0 * index, own_seconds=2.0 * index)
        for index in range(len(states))
    ]
    models = [TimedModel(member=0, warm_up_ns=(1,) * 10, stable=0 not in unstable, bursts=())]
    return Timed(
        block="a block",
        process=0,
        start_seconds=start,
        stopped="rounds",
        states=tuple(replace(state, **given) for state, given in zip(apart, states, strict=True)),
        canary=Canary(start_ns=(canary[0],) * 5, end_ns=(canary[1],) * 5),
        models=tuple(models),
    )


def results_of(*runs: Timed | Checked, models: Sequence[Model] = ()) -> Results:
    return Results(
        created="2026-01-02T03:04:05+00:00",
        target=TARGET,
        environment=PI,
        parameters=Parameters(),
        suite=None,
        models=tuple(models) or (a_model(),),
        blocks=(Block(id="a block", claim=None, members=(0,), threads=1),),
        runs=runs,
    )


def evidence(results: Results, *pairs: PairSummary) -> dict[str, str]:
    return {one.code: one.evidence for one in find_warnings(results, pairs)}


def test_a_good_measurement_has_no_warnings() -> None:
    assert evidence(results_of(a_run(), a_run())) == {}
    assert notes(results_of(a_run())) == ()


def test_results_without_runs_have_no_warnings() -> None:
    assert evidence(results_of()) == {}


def test_every_kind_is_looked_for_and_has_a_meaning_and_a_remedy_in_one_line() -> None:
    for kind in KINDS.values():
        assert kind.look(results_of(), ()) is None
        assert all(text and "\n" not in text for text in (kind.meaning, kind.remedy))


def test_the_gravest_comes_first_whatever_the_order_of_the_runs() -> None:
    bad = a_run([{}, {"governors": {0: "ondemand"}}, {"throttled": 0x50005}])
    assert list(evidence(results_of(bad))) == ["throttled", "governor"]


def test_an_emulated_processor_has_no_latency() -> None:
    results = results_of(Checked(block="a block", process=0, models=()))
    results = replace(results, target=replace(TARGET, latency=False, board="emulated", expected=()))
    assert list(evidence(results)) == ["emulated"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Raspberry Pi 3 Model B Rev 1.2", "calls itself Raspberry Pi 3 Model B Rev 1.2"),
        (None, "does not say what it is"),
    ],
)
def test_a_board_that_is_not_what_was_asked_for(name: str | None, says: str) -> None:
    results = replace(results_of(a_run()), environment=replace(PI, board=name))
    assert evidence(results) == {
        "other-board": f"rpi4 was asked for, a Raspberry Pi 4, and the machine {says}"
    }
    assert evidence(replace(results, target=replace(TARGET, expected=()))) == {}


def test_a_virtual_machine_may_be_emulated() -> None:
    results = replace(
        results_of(a_run()),
        environment=replace(PI, board="linux,dummy-virt"),
        target=replace(TARGET, expected=()),
    )
    assert list(evidence(results)) == ["virtual-machine"]
    declared = replace(results, target=replace(TARGET, expected=(), latency=False))
    assert "virtual-machine" not in evidence(declared)


def test_a_phone_whose_system_slows_it_down() -> None:
    hot = a_run([{"thermal_status": 0}, {"thermal_status": 3}])
    assert evidence(results_of(hot)) == {
        "throttled": "the system's thermal status was severe, in 1 of 1 run"
    }


class TestThrottled:
    def test_now(self) -> None:
        bad = a_run([{"throttled": 0x50000}, {"throttled": 0x50005}, {"throttled": 0x50000}])
        found = evidence(results_of(a_run(), bad))
        assert found == {
            "throttled": "under-voltage and throttled while it was measured, in 1 of 2 runs "
            "(bits 0x50005)"
        }

    def test_between_two_readings(self) -> None:
        found = evidence(results_of(a_run(), a_run([{"throttled": 0x20000}] * 2)))
        assert found == {
            "throttled": "frequency capped while it was measured, between two readings "
            "(bits 0x20000)"
        }

    def test_since_boot(self) -> None:
        found = evidence(results_of(a_run([{"throttled": 0x90000}] * 3)))
        assert found == {
            "throttled-before": "under-voltage and soft temperature limit since boot, but not "
            "while it was measured (bits 0x90000)"
        }


class TestLowFrequency:
    def test_below_the_maximum(self) -> None:
        slow = a_run([{}, {"frequencies_mhz": {0: 600.0, 1: 1000.0}}, {}])
        assert evidence(results_of(slow, a_run())) == {
            "low-frequency": "core 1 ran at 1000 of 1500 MHz, in 1 of 2 runs"
        }

    def test_below_what_it_was_where_no_maximum_is_told(self) -> None:
        results = results_of(a_run(), a_run([{}, {"frequencies_mhz": {1: 1200.0}}]))
        assert evidence(replace(results, environment=replace(PI, maximum_mhz={}))) == {
            "low-frequency": "core 1 ran at 1200 of 1500 MHz, in 1 of 2 runs"
        }

    def test_not_of_a_core_that_idles_nor_before_anything_ran(self) -> None:
        idle = {"frequencies_mhz": {0: 1500.0, 1: 600.0}}
        assert evidence(results_of(a_run([{"frequencies_mhz": {0: 600.0, 1: 600.0}}, idle]))) == {}

    def test_of_the_slowest_where_threads_fill_the_cores(self) -> None:
        results = results_of(a_run([{}, {"frequencies_mhz": {0: 1500.0, 1: 600.0}}]))
        both = replace(results.blocks[0], threads=2)
        assert "core 1 ran at 600 of" in evidence(replace(results, blocks=(both,)))["low-frequency"]

    def test_of_the_cores_that_it_was_pinned_to(self) -> None:
        results = results_of(a_run([{}, {"frequencies_mhz": {0: 1500.0, 1: 600.0}}]))
        pinned = replace(results, parameters=Parameters(cores=(1,)))
        assert "core 1 ran at 600 of" in evidence(pinned)["low-frequency"]

    def test_not_of_a_jitter(self) -> None:
        assert evidence(results_of(a_run([{}, {"frequencies_mhz": {0: 1450.0}}]))) == {}


class TestSlowerCanary:
    def test_at_the_end_of_runs(self) -> None:
        found = evidence(results_of(a_run(), a_run(canary=(100, 120)), a_run(canary=(100, 110))))
        assert found == {
            "slower-canary": "a fixed computation took up to 20% longer at the end of a run than "
            "at its start, in 2 of 3 runs"
        }

    def test_over_the_measurement(self) -> None:
        runs = [a_run(canary=(level, level)) for level in (100, 101, 103, 108)]
        assert evidence(results_of(*runs)) == {
            "slower-canary": "a fixed computation took 8% longer in the last runs than in the first"
        }

    def test_not_where_one_run_of_many_met_an_interrupt(self) -> None:
        runs = [a_run()] * 5 + [a_run(canary=(100, 120))] + [a_run()] * 4
        assert evidence(results_of(*runs)) == {}

    def test_not_where_the_machine_became_faster(self) -> None:
        assert evidence(results_of(a_run(canary=(130, 100)))) == {}

    def test_not_without_a_canary(self) -> None:
        cut_off = replace(a_run(), canary=Canary(start_ns=(1, 1), end_ns=()))
        assert evidence(results_of(replace(a_run(), canary=None), cut_off)) == {}


class TestOtherLoad:
    def test_processor_time_of_others(self) -> None:
        busy = a_run([{}, {}, {"busy_seconds": 108.0}])
        assert evidence(results_of(a_run(), busy)) == {
            "other-load": "other processes kept up to 1.00 cores busy, in 1 of 2 runs"
        }

    def test_the_load_average_where_processor_time_is_not_told(self) -> None:
        untold = {"busy_seconds": None, "load_average": (2.1, 1.0, 1.0)}
        assert evidence(results_of(a_run([untold] * 2))) == {
            "other-load": "the load average was up to 1.1 above the threads that were measured, "
            "in 1 of 1 run"
        }
        alone = untold | {"load_average": (1.2, 1.0, 1.0)}
        assert evidence(results_of(a_run([alone] * 2))) == {}

    @pytest.mark.parametrize("state", [(), ({},)])
    def test_a_run_that_was_cut_off_tells_nothing(
        self, state: Sequence[Mapping[str, object]]
    ) -> None:
        assert evidence(results_of(a_run(state))) == {}


def test_short_memory() -> None:
    short = a_run([{}, {"available_memory_bytes": 300_000_000}, {"available_memory_bytes": None}])
    assert evidence(results_of(short, a_run())) == {
        "short-memory": "only 300 of 4000 MB of memory were available, in 1 of 2 runs"
    }


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (a_model(partitions=0), "runs on the reference kernels of litert, without its delegate"),
        (a_model(partitions=7), "runs in 7 pieces, slow operators between them"),
        (
            a_model("tflite-runtime", None, precision="int8"),
            "is int8, for which tflite-runtime has no delegate",
        ),
        (a_model(partitions=1), None),
        (a_model(partitions=None), None),
        (a_model("tflite-runtime", 1), None),
        (a_model("onnxruntime", None, format="onnx"), None),
        (replace(a_model(), probe=None), None),
    ],
)
def test_an_engine_without_its_fast_path(model: Model, why: str | None) -> None:
    expected = {"slow-engine": f"{model.name} {why}"} if why else {}
    assert evidence(results_of(a_run(), models=[model])) == expected


def test_of_several_models_one_is_named_and_the_others_are_counted() -> None:
    models = [a_model(partitions=2, scale=scale) for scale in (0.5, 1.0, 2.0)]
    assert evidence(results_of(a_run(), models=models))["slow-engine"].endswith(
        "x0.5-224x224-fp32-abcdef01.tflite runs in 2 pieces, slow operators between them; "
        "and 2 more such models"
    )


class TestClimbing:
    def runs(self, *temperatures: float) -> list[Timed]:
        """Runs of three states each, at these temperatures."""
        return [
            a_run([{"temperatures_c": {"cpu": c, "gpu": 40.0}}] * 3, start=6.0 * index)
            for index, c in enumerate(temperatures)
        ]

    def test_a_temperature_that_still_rises(self) -> None:
        found = evidence(results_of(*self.runs(40, 45, 50, 53, 56, 59, 62, 65)))
        assert found == {
            "climbing": "cpu still rose in the last quarter of the time, from 57.5 to 63.5 "
            "degrees Celsius"
        }

    @pytest.mark.parametrize(
        "temperatures",
        [(40, 55, 60, 62, 63, 63, 63.5, 64), (60, 60, 60, 60, 60, 58, 56, 54), (40, 60)],
    )
    def test_not_one_that_came_to_rest_falls_or_is_known_for_too_short(
        self, temperatures: Sequence[float]
    ) -> None:
        assert evidence(results_of(*self.runs(*temperatures))) == {}


def test_a_governor_is_named_with_its_cores() -> None:
    mixed = {"governors": {0: "ondemand", 1: "performance", 2: "ondemand"}}
    results = results_of(a_run([mixed] * 3))
    assert evidence(results) == {"governor": "the governor is ondemand on cores 0, 2"}
    assert evidence(replace(results, parameters=Parameters(cores=(1,)))) == {}


def test_of_few_warm_up_runs_nothing_can_be_told() -> None:
    run = a_run(unstable=[0])
    few = tuple(replace(model, warm_up_ns=(1,) * 9) for model in run.models)
    assert evidence(results_of(replace(run, models=few), a_run())) == {}


def test_a_warm_up_that_did_not_become_stable() -> None:
    assert evidence(results_of(a_run(unstable=[0]), a_run())) == {
        "unstable-warm-up": "shufflenet-v1-g3-x0.5-224x224-fp32-abcdef01.tflite was still becoming "
        "faster when its warm-up ended, in 1 of 2 runs"
    }


def a_pair(low: float | None, high: float | None, block: str = "a block") -> PairSummary:
    ratio = Estimate(value=2.0, low=low, high=high, processes=5, rounds=50)
    return PairSummary(block=block, numerator=1, denominator=0, ratio=ratio)


def test_ratios_that_are_known_less_well_than_was_wanted() -> None:
    results = results_of(a_run())
    assert evidence(results, a_pair(1.97, 2.03)) == {}
    assert evidence(results, a_pair(1.97, 2.03), a_pair(1.9, 2.1), a_pair(1.8, 2.2, "another")) == {
        "imprecise": "2 of 3 ratios are not known to 2%; the worst is of another, known to 10.0%"
    }
    assert evidence(results, a_pair(None, None)) == {
        "imprecise": "1 of 1 ratios are not known to 2%; the worst is of a block, known from too "
        "few processes to tell"
    }


def test_sensors_that_are_missing_are_named_and_nothing_else_is_said_of_them() -> None:
    blind = msgspec.structs.asdict(GOOD) | {
        "governors": {},
        "frequencies_mhz": {},
        "temperatures_c": {},
        "throttled": None,
        "load_average": None,
        "busy_seconds": None,
        "available_memory_bytes": None,
    }
    assert evidence(results_of(a_run([blind, blind]))) == {
        "missing-sensors": "this machine does not tell its frequency, temperature, throttling, "
        "load, memory"
    }


def test_notes_are_of_what_was_measured_and_no_warnings() -> None:
    models = [a_model(weights="random"), a_model(network="alexnet", input_size=(480, 640))]
    results = replace(
        results_of(a_run(), models=models), environment=replace(PI, architecture="x86_64")
    )
    arm, weights, pooling = notes(results)
    assert "This processor is x86_64, no ARM64" in arm
    assert "random weights" in weights
    assert "pooled adaptively" in pooling
    assert evidence(results) == {}


WORKER = """
import time
import msgspec
from shufflenet_deploy.runtime.machine.state import StateReader
reader = StateReader()
while True:
    state, end = reader.read(), time.monotonic() + 0.5
    while time.monotonic() < end:
        pass
    print(msgspec.json.encode([state, reader.read()]).decode(), flush=True)
"""


def test_a_spinning_neighbour_on_this_machine_is_noticed() -> None:
    """As soon as it runs, which on a machine with more to do takes its time."""
    programs = ("while True: pass", WORKER)
    with ExitStack() as stack:
        spinning, worker = (
            stack.enter_context(
                subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
            )
            for program in programs
        )
        stack.callback(spinning.kill)
        stack.callback(worker.kill)
        assert worker.stdout
        lines = iter(worker.stdout)

        def is_noticed() -> bool:
            states = msgspec.json.decode(next(lines), type=tuple[State, ...])
            return "other-load" in evidence(results_of(replace(a_run(), states=states)))

        wait_until(is_noticed)


@pytest.mark.parametrize(
    ("threads", "usable", "cores", "said"),
    [
        ((1, 4), 2.0, (), "4 threads were measured where 2 cores may be used"),
        ((2,), 1.5, (), "2 threads were measured where 1.5 cores may be used"),
        ((2,), 4.0, (3,), "2 threads were measured where 1 cores may be used"),
        ((1, 2), 2.0, (), None),
        ((4,), None, (), None),
    ],
)
def test_more_threads_than_cores(
    threads: tuple[int, ...], usable: float | None, cores: tuple[int, ...], said: str | None
) -> None:
    results = replace(
        results_of(a_run()),
        environment=replace(PI, usable_cores=usable),
        parameters=Parameters(threads=threads, cores=cores),
    )
    assert evidence(results) == ({} if said is None else {"too-many-threads": said})


def test_a_quota_that_was_used_up() -> None:
    runs = (
        a_run([{"throttled_periods": 3}, {"throttled_periods": 3}]),
        a_run([{"throttled_periods": 3}, {"throttled_periods": 8}]),
    )
    results = replace(results_of(*runs), environment=replace(PI, usable_cores=1.5))
    assert evidence(results) == {
        "quota": "the quota of 1.5 cores was used up in 5 periods of a run, in 1 of 2 runs"
    }
    assert evidence(results_of(runs[0])) == {}
