"""The worker: its timing on a fake clock, its checks, and real runs as a process."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime import InferenceError
from shufflenet_deploy.runtime.artifact import (
    Manifest,
    manifest_path,
    read_manifest,
    write_manifest,
)
from shufflenet_deploy.runtime.spec import Answer, Burst, Progress, Spec
from shufflenet_deploy.runtime.worker import Run, carry_out, rounds, self_check

Work = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True, scope="module")
def quick_collections(tiny_artifacts: Path) -> Iterator[None]:
    """The rounds collect garbage first: torch's many objects would make each example slow."""
    gc.freeze()
    yield
    gc.unfreeze()


class Machine:
    """A fake clock and models: the n-th run of all takes n nanoseconds."""

    def __init__(self) -> None:
        self.now = 1000
        self.ran: list[int] = []
        """Which model each run was of."""

    def clock(self) -> int:
        return self.now

    def models(self, count: int) -> list[Run]:
        def model(index: int) -> Run:
            def run() -> None:
                self.ran.append(index)
                self.now += len(self.ran)

            return run

        return [model(index) for index in range(count)]

    def measure(self, models: int, **spec: int) -> list[tuple[int, Burst]]:
        return list(rounds(self.models(models), _spec(**spec), self.clock, _ignore))


def _spec(*artifacts: Path, **settings: int) -> Spec:
    return Spec(artifacts=tuple(str(path) for path in artifacts) or ("-",), **settings)


def _ignore(progress: Progress) -> None:
    pass


def test_a_burst_is_untimed_runs_and_then_timed_ones() -> None:
    machine = Machine()
    first, second = machine.measure(1, rounds=2, untimed=5, timed=3)
    assert first == (0, Burst(round=0, position=0, cold_ns=1, samples_ns=(6, 7, 8)))
    assert second == (0, Burst(round=1, position=0, cold_ns=9, samples_ns=(14, 15, 16)))
    assert len(machine.ran) == 16


def test_without_untimed_runs_there_is_no_cold_one() -> None:
    ((_, burst),) = Machine().measure(1, rounds=1, untimed=0, timed=2)
    assert burst == Burst(round=0, position=0, cold_ns=None, samples_ns=(1, 2))


@given(
    models=st.integers(1, 5),
    number=st.integers(0, 6),
    untimed=st.integers(0, 4),
    timed=st.integers(1, 4),
    seed=st.integers(),
)
def test_every_model_has_one_whole_burst_in_every_round(
    models: int, number: int, untimed: int, timed: int, seed: int
) -> None:
    machine = Machine()
    measured = machine.measure(models, rounds=number, untimed=untimed, timed=timed, seed=seed)
    each = untimed + timed
    turns = [model for model, _ in measured]
    assert machine.ran == [model for model in turns for _ in range(each)]
    assert [(b.round, b.position) for _, b in measured] == list(
        itertools.product(range(number), range(models))
    )
    for start in range(0, len(turns), models):
        assert sorted(turns[start : start + models]) == list(range(models))
    for turn, (_, burst) in enumerate(measured):
        assert burst.cold_ns == (turn * each + 1 if untimed else None)
        assert burst.samples_ns == tuple(range(turn * each + untimed + 1, (turn + 1) * each + 1))


def test_the_order_is_shuffled_in_every_round_and_the_seed_decides() -> None:
    def order(seed: int) -> list[int]:
        return [model for model, _ in Machine().measure(4, rounds=48, seed=seed)]

    turns = order(0)
    assert order(0) == turns
    assert order(1) != turns
    assert len({tuple(turns[i : i + 4]) for i in range(0, len(turns), 4)}) > 12  # of 24
    for position in range(4):  # nobody always comes first, or after the same one
        assert min(Counter(turns[position::4]).values()) >= 4


def test_rounds_report_their_number() -> None:
    reports: list[Progress] = []
    machine = Machine()
    list(rounds(machine.models(2), _spec(rounds=3), machine.clock, reports.append))
    assert reports == [Progress(stage="round", done=done, total=3) for done in range(4)]


@pytest.fixture(params=[True, False], ids=["collecting", "not collecting"])
def collecting(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether the garbage collector is on when the rounds begin."""
    was = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if was else gc.disable)()


def test_the_garbage_collector_rests_and_is_then_as_it_was(collecting: bool) -> None:
    seen: list[bool] = []
    list(rounds([lambda: seen.append(gc.isenabled())], _spec(rounds=1), Machine().clock, _ignore))
    assert seen == [False] * 8
    assert gc.isenabled() == collecting


def test_a_failing_run_leaves_the_garbage_collector_as_it_was(collecting: bool) -> None:
    def fail() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        list(rounds([fail], _spec(rounds=1), Machine().clock, _ignore))
    assert gc.isenabled() == collecting


def test_rounds_that_are_given_up_leave_the_garbage_collector_as_it_was(collecting: bool) -> None:
    for _ in rounds(Machine().models(2), _spec(rounds=9), Machine().clock, _ignore):
        break
    assert gc.isenabled() == collecting


def test_the_answer_has_every_model_in_the_specs_order(tiny_artifacts: Path) -> None:
    paths = sorted(tiny_artifacts.glob("*.tflite")) + sorted(tiny_artifacts.glob("*.onnx"))
    assert len(paths) == 4
    reports: list[Progress] = []
    spec = _spec(*paths, rounds=2, warm_up=1, untimed=1, timed=2)
    answer = carry_out(spec, time.perf_counter_ns, reports.append)
    assert [model.artifact for model in answer.models] == [str(path) for path in paths]
    assert not answer.interrupted
    assert [report.stage for report in reports] == ["load"] * 4 + ["warm up"] * 4 + ["round"] * 3
    by_round: dict[int, list[int]] = {0: [], 1: []}
    for model in answer.models:
        for burst in model.bursts:
            by_round[burst.round].append(burst.position)
            assert len(burst.samples_ns) == 2
    assert all(sorted(positions) == [0, 1, 2, 3] for positions in by_round.values())


def test_no_rounds_load_and_check_and_measure_nothing_else(artifact: Path) -> None:
    (model,) = carry_out(_spec(artifact, rounds=0, warm_up=0), time.perf_counter_ns, _ignore).models
    assert model.bursts == ()
    assert model.load_ns > 0
    assert model.first_run_ns > 0


def test_loading_and_the_first_run_are_timed_apart(artifact: Path) -> None:
    times = iter([100, 107, 130])
    spec = _spec(artifact, rounds=0, warm_up=0)
    (model,) = carry_out(spec, lambda: next(times), _ignore).models
    assert (model.load_ns, model.first_run_ns) == (7, 23)


def test_an_interruption_between_rounds_keeps_the_rounds_before_it(tiny_artifacts: Path) -> None:
    def press(progress: Progress) -> None:
        if progress.stage == "round" and progress.done == 2:
            raise KeyboardInterrupt

    paths = sorted(tiny_artifacts.glob("*x0.25*.*x")) + sorted(
        tiny_artifacts.glob("*x0.25*.tflite")
    )
    answer = carry_out(_spec(*paths, rounds=50), time.perf_counter_ns, press)
    assert answer.interrupted
    assert [[burst.round for burst in model.bursts] for model in answer.models] == [[0, 1]] * 2


def test_an_interruption_within_a_burst_keeps_the_whole_ones(artifact: Path) -> None:
    readings = itertools.count()

    def clock() -> int:
        reading = next(readings)
        if reading == 3 + 8 + 4:  # load, a burst of four times two readings, half a burst
            raise KeyboardInterrupt
        return reading

    answer = carry_out(_spec(artifact, rounds=50, warm_up=0), clock, _ignore)
    assert answer.interrupted
    (model,) = answer.models
    assert [len(burst.samples_ns) for burst in model.bursts] == [3]


def test_an_interruption_while_loading_has_nothing_to_answer(artifact: Path) -> None:
    def press(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(_spec(artifact), time.perf_counter_ns, press)


def _change(artifact: Path, change: Callable[[Manifest], Manifest]) -> None:
    path = manifest_path(artifact)
    write_manifest(path, change(read_manifest(path)))


def _with_check(manifest: Manifest, **changes: object) -> Manifest:
    check = msgspec.structs.replace(manifest.self_check, **changes)
    return msgspec.structs.replace(manifest, self_check=check)


def test_a_model_that_computes_something_else_is_refused(copied: Path) -> None:
    def move_one_logit(manifest: Manifest) -> Manifest:
        check = manifest.self_check
        moved = check.logits[0] + 2 * check.tolerance * check.deviation
        return _with_check(manifest, logits=(moved, *check.logits[1:]))

    carry_out(_spec(copied, rounds=0), time.perf_counter_ns, _ignore)
    _change(copied, move_one_logit)
    with pytest.raises(InferenceError, match=r"something else here .* allowed is 1e-04") as refused:
        carry_out(_spec(copied, rounds=0), time.perf_counter_ns, _ignore)
    assert copied.name in str(refused.value)


def test_a_model_that_answers_another_input_is_refused(copied: Path) -> None:
    _change(copied, lambda manifest: _with_check(manifest, seed=manifest.self_check.seed + 1))
    with pytest.raises(InferenceError, match="something else here"):
        carry_out(_spec(copied, rounds=0), time.perf_counter_ns, _ignore)


def test_a_model_that_does_not_take_its_input_is_refused_by_name(copied: Path) -> None:
    def enlarge(manifest: Manifest) -> Manifest:
        options = msgspec.structs.replace(manifest.options, input_size=(64, 64))
        return msgspec.structs.replace(manifest, options=options)

    _change(copied, enlarge)
    with pytest.raises(InferenceError, match=f"{copied.name} does not run on "):
        carry_out(_spec(copied, rounds=0), time.perf_counter_ns, _ignore)


def test_the_self_check_measures_the_largest_difference_over_the_deviation(artifact: Path) -> None:
    manifest = read_manifest(manifest_path(artifact))
    check = manifest.self_check
    logits = np.array([check.logits])
    assert self_check(manifest, logits) == 0
    logits[0, 10] -= 0.5 * check.tolerance * check.deviation
    logits[0, 20] += 0.9 * check.tolerance * check.deviation
    assert self_check(manifest, logits) == pytest.approx(0.9 * check.tolerance)
    logits[0, 30] += 1.1 * check.tolerance * check.deviation
    with pytest.raises(InferenceError, match=r"differ by 1\.1e-04, allowed is 1e-04"):
        self_check(manifest, logits)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_self_check_refuses_what_is_not_a_number(artifact: Path, value: float) -> None:
    manifest = read_manifest(manifest_path(artifact))
    logits = np.array([manifest.self_check.logits])
    logits[0, 999] = value
    with pytest.raises(InferenceError, match=f"differ by {abs(value)}"):
        self_check(manifest, logits)


@pytest.mark.parametrize("shape", [(1, 999), (2, 1000), (1000,), (1, 1)])
def test_the_self_check_refuses_another_number_of_logits(
    artifact: Path, shape: tuple[int, ...]
) -> None:
    with pytest.raises(InferenceError, match="where its manifest has 1000 logits"):
        self_check(read_manifest(manifest_path(artifact)), np.zeros(shape, np.float32))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_real_worker_answers_with_what_it_measured(
    work: Work, tiny_artifacts: Path, threads: int
) -> None:
    paths = sorted(path for path in tiny_artifacts.iterdir() if path.suffix != ".json")
    spec = _spec(*paths, rounds=4, threads=threads, warm_up=2, untimed=2, timed=3)
    worker = work(stdin=msgspec.json.encode(spec))
    assert worker.returncode == 0, worker.stderr
    answer = msgspec.json.decode(worker.stdout, type=Answer)
    assert (answer.threads, answer.interrupted) == (threads, False)
    assert [model.artifact for model in answer.models] == [str(path) for path in paths]
    for path, model in zip(paths, answer.models, strict=True):
        manifest = read_manifest(manifest_path(path))
        assert model.sha256 == manifest.sha256
        assert model.engine == manifest.verification.engine
        assert model.engine_version == manifest.verification.engine_version
        assert model.delegate_partitions == {".tflite": 1, ".onnx": None}[path.suffix]
        assert 0 <= model.difference <= manifest.self_check.tolerance
        assert [burst.round for burst in model.bursts] == [0, 1, 2, 3]
        samples = [ns for burst in model.bursts for ns in burst.samples_ns]
        assert len(samples) == 12
        assert 10**3 < min(samples) < 10**8  # a microsecond, a tenth of a second
        assert all(burst.cold_ns and burst.cold_ns > 0 for burst in model.bursts)
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
            out, _ = worker.communicate(timeout=30)
        finally:
            worker.kill()
    assert worker.returncode == 0
    answer = msgspec.json.decode(out, type=Answer)
    assert answer.interrupted
    (model,) = answer.models
    assert 3 <= len(model.bursts) < 10**7
    assert all(len(burst.samples_ns) == 3 for burst in model.bursts)
    assert [burst.round for burst in model.bursts] == list(range(len(model.bursts)))
