"""The worker as a whole: on a fake machine with real engines, and as a real process."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fake_machine import ENVIRONMENT, FakeMachine
from shufflenet_deploy.runtime.files import sha256
from shufflenet_deploy.runtime.manifest import manifest_path, read_manifest
from shufflenet_deploy.runtime.worker.run import carry_out
from shufflenet_deploy.runtime.worker.spec import (
    Answer,
    Canary,
    CoolDown,
    Progress,
    Skipped,
    Spec,
    WarmUp,
)
from shufflenet_deploy.runtime.worker.warm_up import MIN_RUNS
from waiting import HANG_SECONDS

Work = Callable[..., subprocess.CompletedProcess[str]]

_BRIEF = WarmUp(minimum=1, maximum=2)


@pytest.fixture(autouse=True, scope="module")
def quick_collections(tiny_artifacts: Path) -> Iterator[None]:
    """The rounds collect garbage first: torch's many objects would make each example slow."""
    gc.freeze()
    yield
    gc.unfreeze()


def _spec(*artifacts: Path, **settings: Any) -> Spec:
    return Spec(artifacts=tuple(str(path) for path in artifacts), **settings)


def _carry_out(
    spec: Spec, machine: FakeMachine | None = None, clock: Callable[[], int] = time.perf_counter_ns
) -> Answer:
    return carry_out(spec, (0, 1), (machine or FakeMachine()).instruments(clock))


def test_the_answer_has_every_model_in_the_specs_order(tiny_artifacts: Path) -> None:
    paths = sorted(tiny_artifacts.glob("*.tflite")) + sorted(tiny_artifacts.glob("*.onnx"))
    assert len(paths) == 4
    machine = FakeMachine()
    answer = _carry_out(_spec(*paths, rounds=2, warm_up=_BRIEF, untimed=1, timed=2), machine)
    assert [model.artifact for model in answer.models] == [str(path) for path in paths]
    assert (answer.threads, answer.cores, answer.stopped) == (1, (0, 1), "rounds")
    assert answer.environment == ENVIRONMENT
    stages = [report.stage for report in machine.reports]
    assert stages == ["load"] * 4 + ["warm up"] * 4 + ["round"] * 3
    by_round: dict[int, list[int]] = {0: [], 1: []}
    for model in answer.models:
        assert len(model.warm_up_ns) == 2
        for burst in model.bursts:
            by_round[burst.round].append(burst.position)
            assert len(burst.samples_ns) == 2
    assert all(sorted(positions) == [0, 1, 2, 3] for positions in by_round.values())


def test_no_rounds_load_and_check_and_run_a_few_times(artifact: Path) -> None:
    machine = FakeMachine()
    cool_down = CoolDown(temperature_c=0.0, canary_ns=0)
    answer = _carry_out(_spec(artifact, rounds=0, cool_down=cool_down), machine)
    (model,) = answer.models
    assert model.bursts == ()
    assert model.load_ns > 0
    assert model.first_run_ns > 0
    assert len(model.warm_up_ns) == 3
    assert not model.stable
    assert (answer.stopped, answer.canary) == ("rounds", None)
    assert machine.done == ["state"] * 3  # before, for the memory, after


@pytest.mark.parametrize("peak", [True, False])
def test_no_artifacts_tell_of_the_device_alone(peak: bool) -> None:
    machine = FakeMachine()
    answer = _carry_out(Spec(peak=peak), machine)
    assert (answer.models, answer.skipped, answer.canary) == ((), (), None)
    assert answer.environment == ENVIRONMENT
    assert answer.stopped == "rounds"
    assert len(answer.states) == 2
    assert answer.peak_multiply_adds_per_second == (1e9 if peak else None)
    assert machine.reports == []


def test_things_come_in_their_order(artifact: Path) -> None:
    """The peak before any engine, the warm-up after the rest, canaries next to the rounds."""
    machine = FakeMachine()
    machine.before_report = lambda progress: machine.done.append(progress.stage)
    spec = _spec(
        artifact,
        rounds=1,
        peak=True,
        rest_seconds=0.5,
        cool_down=CoolDown(temperature_c=None, canary_ns=0, seconds=1),
    )
    _carry_out(spec, machine, machine.clock)
    assert machine.done == [
        *("state", "peak", "load", "state"),
        *("cool down", "canary", "sleep 1", "cool down", "warm up"),
        *("sleep 0.5", "canary", "round", "state", "sleep 0.5", "round"),
        *("state", "sleep 0.5", "canary"),
    ]


def test_the_canary_is_timed_at_both_ends(artifact: Path) -> None:
    machine = FakeMachine()
    machine.canaries = iter([(1, 2), (3, 4)])
    answer = _carry_out(_spec(artifact, rounds=1), machine)
    assert answer.canary == Canary(start_ns=(1, 2), end_ns=(3, 4))


def test_without_a_canary_there_is_none(artifact: Path) -> None:
    machine = FakeMachine()
    assert _carry_out(_spec(artifact, rounds=1, canary=False), machine).canary is None
    assert "canary" not in machine.done


def test_states_are_read_at_most_once_a_second_between_rounds(artifact: Path) -> None:
    """Here a clock that goes on by 10 ms at each reading, of which a round has about 10."""
    clock = itertools.count(0, 10**7).__next__
    machine = FakeMachine()
    answer = _carry_out(_spec(artifact, rounds=100, untimed=1, warm_up=_BRIEF), machine, clock)
    assert 8 <= len(answer.states) <= 14


def test_every_round_has_its_state_where_rounds_are_long(artifact: Path) -> None:
    clock = itertools.count(0, 10**9).__next__
    answer = _carry_out(_spec(artifact, rounds=5), clock=clock)
    assert len(answer.states) == 1 + 5 + 1


def test_rounds_end_when_the_time_is_over(artifact: Path) -> None:
    """Here a clock that goes on by 10 ms at each reading, of which a round has ten."""
    clock = itertools.count(0, 10**7).__next__
    answer = _carry_out(_spec(artifact, rounds=10**9, seconds=1.05, warm_up=_BRIEF), clock=clock)
    (model,) = answer.models
    assert answer.stopped == "seconds"
    assert len(model.bursts) == 10


def test_a_model_that_does_not_fit_the_memory_is_skipped_and_the_others_go_on(
    copied: Path, tmp_path: Path
) -> None:
    manifest_path(copied).unlink()  # so that it is judged by its size
    large = tmp_path / f"large{copied.suffix}"
    with large.open("wb") as file:
        file.truncate(3 * 10**8)  # nothing but a hole
    machine = FakeMachine()
    machine.available_bytes = 5 * 10**8
    answer = _carry_out(_spec(large, copied, large, rounds=2, warm_up=_BRIEF), machine)
    skipped = Skipped(artifact=str(large), needed_bytes=7 * 10**8, available_bytes=5 * 10**8)
    assert answer.skipped == (skipped, skipped)
    (model,) = answer.models
    assert model.artifact == str(copied)
    assert len(model.bursts) == 2


def test_where_no_model_fits_there_is_an_answer_all_the_same(artifact: Path) -> None:
    machine = FakeMachine()
    machine.available_bytes = 0
    answer = _carry_out(_spec(artifact, rounds=10**9), machine)
    assert answer.models == ()
    assert [skipped.artifact for skipped in answer.skipped] == [str(artifact)]
    assert (answer.stopped, answer.canary, len(answer.states)) == ("rounds", None, 2)


def _press(machine: FakeMachine, stage: str, done: int = 0) -> None:
    def press(progress: Progress) -> None:
        if (progress.stage, progress.done) == (stage, done):
            raise KeyboardInterrupt

    machine.before_report = press


def test_an_interruption_between_rounds_keeps_the_rounds_before_it(tiny_artifacts: Path) -> None:
    machine = FakeMachine()
    _press(machine, "round", 2)
    paths = [*tiny_artifacts.glob("*x0.25*.onnx"), *tiny_artifacts.glob("*x0.25*.tflite")]
    answer = _carry_out(_spec(*paths, rounds=50), machine)
    assert answer.stopped == "interrupted"
    assert [[burst.round for burst in model.bursts] for model in answer.models] == [[0, 1]] * 2
    assert answer.canary == Canary(start_ns=(100,) * 3, end_ns=(100,) * 3)
    assert len(answer.states) == 2


def test_an_interruption_within_a_burst_keeps_the_whole_ones(artifact: Path) -> None:
    machine = FakeMachine()
    readings = itertools.count()
    first_round: list[int] = []

    def clock() -> int:
        reading = next(readings)
        if machine.reports and machine.reports[-1].stage == "round":
            first_round.append(reading)
        # Each round but the first reads once, a burst four times twice: half of the second.
        if len(first_round) == 2 + 1 + 8 + 1 + 1 + 4:
            raise KeyboardInterrupt
        return reading

    answer = _carry_out(_spec(artifact, rounds=50), machine, clock)
    assert answer.stopped == "interrupted"
    (model,) = answer.models
    assert [len(burst.samples_ns) for burst in model.bursts] == [3]


@pytest.mark.parametrize("stage", ["cool down", "warm up"])
def test_an_interruption_before_the_rounds_answers_without_bursts(
    artifact: Path, stage: str
) -> None:
    machine = FakeMachine()
    _press(machine, stage)
    cool_down = CoolDown(temperature_c=None, canary_ns=None)
    answer = _carry_out(_spec(artifact, cool_down=cool_down), machine)
    assert (answer.stopped, answer.canary) == ("interrupted", None)
    (model,) = answer.models
    assert (model.bursts, model.warm_up_ns, model.stable) == ((), (), False)
    assert len(answer.states) == 2


def test_an_interruption_during_the_last_canary_loses_nothing(artifact: Path) -> None:
    machine = FakeMachine()

    def canaries() -> Iterator[tuple[int, ...]]:
        yield (1,)
        _press(machine, "none")
        raise KeyboardInterrupt

    machine.canaries = canaries()
    answer = _carry_out(_spec(artifact, rounds=3), machine)
    assert answer.stopped == "interrupted"
    assert len(answer.models[0].bursts) == 3
    assert answer.canary == Canary(start_ns=(1,), end_ns=(100, 100, 100))


def test_an_interruption_while_loading_has_nothing_to_answer(artifact: Path) -> None:
    machine = FakeMachine()
    _press(machine, "load")
    with pytest.raises(KeyboardInterrupt):
        _carry_out(_spec(artifact), machine)


def _timed_ns(answer: Answer) -> int:
    """All that was timed by itself between the first state and the last, together."""
    assert answer.canary
    models = answer.models
    return (
        sum(model.load_ns + model.first_run_ns + sum(model.warm_up_ns) for model in models)
        + sum((burst.cold_ns or 0) + sum(burst.samples_ns) for m in models for burst in m.bursts)
        + sum(answer.canary.start_ns)  # its end comes after the last state
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_a_real_worker_answers_with_what_it_measured(
    work: Work, tiny_artifacts: Path, threads: int
) -> None:
    paths = sorted(path for path in tiny_artifacts.iterdir() if path.suffix != ".json")
    spec = _spec(*paths, rounds=4, threads=threads, untimed=2, timed=3)
    start = time.perf_counter()
    worker = work(stdin=msgspec.json.encode(spec))
    elapsed = time.perf_counter() - start
    assert worker.returncode == 0, worker.stderr
    answer = msgspec.json.decode(worker.stdout, type=Answer)
    assert (answer.threads, answer.stopped) == (threads, "rounds")
    assert answer.environment.package_versions["numpy"]
    assert answer.canary
    assert len(answer.canary.start_ns) == len(answer.canary.end_ns) > 1
    assert len(answer.states) >= 2
    assert 0 < answer.states[0].seconds < answer.states[-1].seconds < elapsed
    in_states_ns = 1e9 * (answer.states[-1].seconds - answer.states[0].seconds)
    assert 0 < _timed_ns(answer) < in_states_ns  # what is timed lies between, in their units
    assert [model.artifact for model in answer.models] == [str(path) for path in paths]
    for path, model in zip(paths, answer.models, strict=True):
        manifest = read_manifest(manifest_path(path))
        assert model.sha256 == manifest.sha256
        assert manifest.verification is not None
        assert model.engine == manifest.verification.engine
        assert model.engine_version == manifest.verification.engine_version
        assert model.remarks == {".tflite": {"delegate_partitions": 1}, ".onnx": {}}[path.suffix]
        assert model.difference is not None
        assert 0 <= model.difference <= manifest.self_check.tolerance
        assert [burst.round for burst in model.bursts] == [0, 1, 2, 3]
        samples = [ns for burst in model.bursts for ns in burst.samples_ns]
        assert len(samples) == 12
        assert min(samples) > 0
        assert all(burst.cold_ns and burst.cold_ns > 0 for burst in model.bursts)
        assert MIN_RUNS <= len(model.warm_up_ns) <= spec.warm_up.maximum  # 12, or a second is over
        assert model.load_ns > 0
        assert model.first_run_ns > 0
        assert model.peak_memory_bytes is None or 10**7 < model.peak_memory_bytes < 10**9


def test_a_real_worker_reads_its_spec_from_a_file_and_reports_in_json(
    work: Work, artifact: Path, tmp_path: Path
) -> None:
    path = tmp_path / "spec.json"
    path.write_bytes(msgspec.json.encode(_spec(artifact, rounds=2)))
    worker = work(path)
    assert worker.returncode == 0, worker.stderr
    assert len(msgspec.json.decode(worker.stdout, type=Answer).models) == 1
    lines = [line for line in worker.stderr.splitlines() if not line.startswith("INFO: ")]
    reports = [msgspec.json.decode(line, type=Progress) for line in lines]
    assert reports[0] == Progress(stage="load", done=0, total=1)
    assert reports[-1] == Progress(stage="round", done=2, total=2)


@pytest.mark.parametrize("break_it", ["missing", "truncated", "altered", "manifest"])
def test_a_real_worker_refuses_a_broken_artifact_in_one_line(
    work: Work, copied: Path, break_it: str
) -> None:
    content = copied.read_bytes()
    match break_it:
        case "missing":
            copied.unlink()
        case "truncated":
            copied.write_bytes(content[:-1])
        case "altered":
            copied.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "manifest":
            manifest_path(copied).write_bytes(b"{}")
    worker = work(stdin=msgspec.json.encode(_spec(copied)))
    assert worker.returncode == (2 if break_it == "missing" else 1)
    assert worker.stdout == ""
    *progress, error = worker.stderr.splitlines()
    assert [msgspec.json.decode(line, type=Progress).stage for line in progress] == ["load"]
    assert error.startswith("error: ")
    assert str(copied) in error


def test_a_real_worker_measures_what_has_no_manifest(work: Work, copied: Path) -> None:
    manifest_path(copied).unlink()
    worker = work(stdin=msgspec.json.encode(_spec(copied, rounds=3)))
    assert worker.returncode == 0, worker.stderr
    (model,) = msgspec.json.decode(worker.stdout, type=Answer).models
    assert model.sha256 == sha256(copied)
    assert model.difference is None
    assert len(model.bursts) == 3


def test_a_real_worker_measures_the_processors_peak(work: Work) -> None:
    worker = work(stdin=msgspec.json.encode(Spec(peak=True)))
    assert worker.returncode == 0, worker.stderr
    peak = msgspec.json.decode(worker.stdout, type=Answer).peak_multiply_adds_per_second
    assert peak is not None
    assert peak > 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to write to")
def test_a_real_worker_whose_answer_finds_no_room_says_so_in_one_line(artifact: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        worker = subprocess.run(
            [sys.executable, "-m", "shufflenet_deploy.runtime"],
            input=msgspec.json.encode(_spec(artifact, rounds=0)),
            stdout=full,
            env={**os.environ, "PYTHONUNBUFFERED": ""},  # what is buffered fails late
            stderr=subprocess.PIPE,
            check=False,
        )
    assert worker.returncode == 1
    *_, last = worker.stderr.decode().splitlines()
    assert last == "error: input or output: No space left on device"


def test_a_real_worker_answers_ctrl_c_with_what_it_has(artifact: Path, tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_bytes(msgspec.json.encode(_spec(artifact, rounds=10**7)))
    with subprocess.Popen(
        [sys.executable, "-m", "shufflenet_deploy.runtime", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as worker:
        try:
            assert worker.stderr is not None
            for line in worker.stderr:
                if line.startswith(b'{"stage":"round","done":3,'):
                    break
            worker.send_signal(signal.SIGINT)
            out, _ = worker.communicate(timeout=HANG_SECONDS)
        finally:
            worker.kill()
    assert worker.returncode == 0
    answer = msgspec.json.decode(out, type=Answer)
    assert answer.stopped == "interrupted"
    (model,) = answer.models
    assert 3 <= len(model.bursts) < 10**7
    assert all(len(burst.samples_ns) == 3 for burst in model.bursts)
    assert [burst.round for burst in model.bursts] == list(range(len(model.bursts)))
