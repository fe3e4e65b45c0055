from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shufflenet_deploy.bench.analysis.estimates import is_known
from shufflenet_deploy.bench.measure.artifacts import Subject
from shufflenet_deploy.bench.measure.demand import is_open
from shufflenet_deploy.bench.measure.protocol import Step, begin, measure
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import Checked, Parameters, Results, Run, Target, Timed
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.environment import read_environment
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Answer, CoolDown, Progress, Spec

if TYPE_CHECKING:
    from tests.bench.conftest import FakeDevice

PAPER = load_paper()
LOCAL = Target(
    board="local",
    kind="local",
    expected=(),
    latency=True,
    published_peak_gflops=None,
    published_peak_source=None,
)
EMULATED = replace(LOCAL, board="emulated", kind="emulated", latency=False)
FEW = Parameters(processes=2, max_processes=4, rounds_per_process=3)
CLAIM, OTHER = "alexnet: onnx, 224x224 fp32, 1 thread", "in turns: tflite, 224x224 fp32, 1 thread"
WORKERS = 8
"""With `FEW`: the processor's peak, three models alone, two processes of two blocks."""


@pytest.fixture(scope="session")
def subjects(
    tmp_path_factory: pytest.TempPathFactory,
    half: Options,
    write_artifact: Callable[[Path, Options], Artifact],
) -> list[Subject]:
    """The networks of AlexNet's claim as ONNX, which make a block, and one as TFLite."""
    folder = tmp_path_factory.mktemp("subjects")
    alexnet = replace(half, network="alexnet", groups=None, scale=None)
    wanted = (half, alexnet, replace(half, format="tflite"))
    return [Subject.of(write_artifact(folder, options)) for options in wanted]


def start(subjects: list[Subject], parameters: Parameters = FEW, target: Target = LOCAL) -> Results:
    return begin(target, read_environment(), subjects, parameters, PAPER, None, 0)


def carry_out(device: FakeDevice, begun: Results) -> list[Results]:
    """What there is after each worker."""
    return list(measure(device, begun, PAPER, lambda step, progress: None, lambda: 0.0))


def counts(results: Results) -> list[int]:
    """Each block's processes."""
    return [sum(run.block == block.id for run in results.runs) for block in results.blocks]


def test_it_begins_with_when_where_how_and_what(subjects: list[Subject]) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    begun = start(subjects)
    created = datetime.fromisoformat(begun.created)
    assert created.utcoffset() == UTC.utcoffset(None)
    assert before <= created <= datetime.now(UTC)
    assert (begun.target, begun.parameters, begun.ended) == (LOCAL, FEW, "no")
    assert [model.path for model in begun.models] == [str(one.path) for one in subjects]
    assert [model.sha256 for model in begun.models] == [one.sha256 for one in subjects]
    assert [model.options for model in begun.models] == [
        one.manifest.options for one in subjects if one.manifest
    ]
    assert [(block.id, block.members) for block in begun.blocks] == [(CLAIM, (1, 0)), (OTHER, (2,))]
    assert begun.runs == ()


def test_a_file_of_another_tool_has_neither_options_nor_multiply_adds(tmp_path: Path) -> None:
    (model,) = start([Subject(tmp_path / "net.onnx", "hash", None, "onnxruntime")]).models
    assert (model.name, model.format) == ("net.onnx", "onnx")
    assert (model.options, model.multiply_adds) == (None, None)


def test_the_device_then_each_model_alone_then_blocks_in_turns(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    device = make_device()
    carry_out(device, start(subjects))
    half, alexnet, other = (f"/there/{subject.path}" for subject in subjects)
    assert [(spec.artifacts, spec.rounds, spec.peak, spec.seed) for spec in device.specs] == [
        ((), 20, True, 0),
        ((half,), 0, False, 0),
        ((alexnet,), 0, False, 0),
        ((other,), 0, False, 0),
        ((alexnet, half), 3, False, 0),
        ((other,), 3, False, 0),
        ((alexnet, half), 3, False, 1),
        ((other,), 3, False, 1),
    ]
    assert len(device.specs) == WORKERS


def test_results_grow_with_each_worker(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    grown = carry_out(make_device(), start(subjects))
    assert [
        (
            len(results.peak_multiply_adds_per_second),
            sum(model.probe is not None for model in results.models),
            len(results.runs),
        )
        for results in grown
    ] == [(1, n, 0) for n in range(4)] + [(1, 3, n) for n in range(1, 5)] + [(1, 3, 4)]
    assert [results.ended for results in grown] == ["no"] * WORKERS + ["done"]


def test_a_process_keeps_all_that_its_worker_answered(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    last = carry_out(make_device(), start(subjects))[-1]
    run = last.runs[2]
    assert isinstance(run, Timed)
    assert (run.block, run.process, run.stopped) == (CLAIM, 1, "rounds")
    assert [(one.member, len(one.bursts)) for one in run.models] == [(1, 3), (0, 3)]
    assert len(run.states) == 2
    assert run.canary


def test_each_number_of_threads_has_its_peak_and_its_blocks(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    device = make_device()
    begun = start(subjects, replace(FEW, threads=(2, 1), cores=(1, 3)))
    last = carry_out(device, begun)[-1]
    assert list(last.peak_multiply_adds_per_second) == [2, 1]
    assert counts(last) == [2, 2, 2, 2]
    assert {spec.cores for spec in device.specs} == {(1, 3)}
    # Alone a model is loaded once, with the fewest threads. The threads of several rest.
    alone, turns = device.specs[2:5], device.specs[5:]
    assert {(spec.threads, spec.rest_seconds) for spec in alone} == {(1, 0.0)}
    assert {(spec.threads, spec.rest_seconds > 0) for spec in turns} == {(1, False), (2, True)}


def test_progress_names_the_worker_and_foresees_what_is_left(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    steps: list[Step] = []

    def report(step: Step, progress: Progress) -> None:
        steps.append(step)

    list(measure(make_device(), start(subjects), PAPER, report, lambda: 0.0))
    assert [step.title for step in steps] == [
        "the processor's peak",
        *(f"alone: {subject.path.name}" for subject in subjects),
        f"{CLAIM}, process 1",
        f"{OTHER}, process 1",
        f"{CLAIM}, process 2",
        f"{OTHER}, process 2",
    ]
    assert [step.seconds_left is None for step in steps] == [True] * 4 + [False] * 4


def test_scattered_processes_ask_for_more_and_steady_ones_do_not(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    begun = start(subjects)
    assert counts(carry_out(make_device(), begun)[-1]) == [2, 2]
    # A model without another one has no ratio that could be known better.
    assert counts(carry_out(make_device(scatter=0.1), begun)[-1]) == [4, 2]


@given(
    st.builds(
        lambda processes, more, **others: Parameters(
            processes=processes, max_processes=processes + more, **others
        ),
        processes=st.integers(1, 4),
        more=st.integers(0, 4),
        rounds=st.integers(1, 20),
        rounds_per_process=st.integers(1, 5),
        interval_percent=st.floats(0.1, 20),
    ),
    st.floats(0.0, 0.2),
)
def test_a_block_ends_when_it_is_known_or_at_a_limit(
    make_device: type[FakeDevice], subjects: list[Subject], parameters: Parameters, scatter: float
) -> None:
    last = carry_out(make_device(scatter=scatter), start(subjects, parameters))[-1]
    for block, processes in zip(last.blocks, counts(last), strict=True):
        runs = [run for run in last.runs if isinstance(run, Timed) and run.block == block.id]
        rounds = sum(len(run.models[0].bursts) for run in runs)
        assert rounds <= parameters.rounds
        assert min(parameters.processes, parameters.rounds) <= processes
        assert processes <= parameters.max_processes
        at_a_limit = processes == parameters.max_processes or rounds == parameters.rounds
        assert is_known(last, block, PAPER) or at_a_limit
        before = replace(last, runs=tuple(run for run in last.runs if run is not runs[-1]))
        assert processes <= parameters.processes or not is_known(before, block, PAPER)


class Clocked:
    """A device on which each worker takes `seconds` of a clock that is its own."""

    def __init__(self, device: FakeDevice, seconds: float) -> None:
        self._device = device
        self._seconds = seconds
        self.now = 1000.0

    def put(self, path: Path) -> str:
        return self._device.put(path)

    def close(self) -> None:
        self._device.close()

    def run(self, spec: Spec, report: Report) -> Answer:
        self.now += self._seconds
        return self._device.run(spec, report)

    def measure(self, begun: Results) -> Results:
        return list(measure(self, begun, PAPER, lambda *progress: None, lambda: self.now))[-1]


@given(minutes=st.floats(0, 4), seconds=st.floats(1, 40))
def test_no_process_ends_after_the_minutes_are_over(
    make_device: type[FakeDevice], subjects: list[Subject], minutes: float, seconds: float
) -> None:
    device = Clocked(make_device(), seconds)
    last = device.measure(start(subjects, replace(FEW, minutes=minutes)))
    assert len(last.runs) == 4 or last.ended == "minutes"
    assert not last.runs or device.now - 1000 <= minutes * 60
    # Every model was loaded alone, whatever the limit.
    assert all(model.probe for model in last.models)


def test_after_its_patience_is_over_a_block_gets_no_more_than_the_least(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    impatient = replace(FEW, patience_minutes=0.0)
    assert counts(Clocked(make_device(scatter=0.1), 10).measure(start(subjects, impatient))) == [
        2,
        2,
    ]
    hasty = replace(impatient, hasty_processes=1)
    assert counts(Clocked(make_device(), 10).measure(start(subjects, hasty))) == [1, 1]
    # The peak, three models alone and two processes of each block take 80 s; then two of one are
    # begun within the patience.
    some = replace(FEW, patience_minutes=85 / 60)
    assert counts(Clocked(make_device(scatter=0.1), 10).measure(start(subjects, some))) == [3, 2]


def test_a_run_knows_when_it_began_also_where_it_was_resumed(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    first = Clocked(make_device(), 10).measure(start(subjects, replace(FEW, minutes=1.0)))
    assert first.ended == "minutes"
    last = Clocked(make_device(), 10).measure(replace(first, parameters=FEW))
    starts = [run.start_seconds for run in last.runs if isinstance(run, Timed)]
    assert starts[0] == 40  # after the peak and three models alone
    assert starts == sorted(starts)
    assert len(set(starts)) == len(starts) == 4


def whole(runs: tuple[Run, ...]) -> dict[tuple[str, int], Run]:
    """Runs without when they began, in no order."""
    return {
        (run.block, run.process): replace(run, start_seconds=0.0) if isinstance(run, Timed) else run
        for run in runs
    }


@pytest.mark.parametrize("target", [LOCAL, EMULATED], ids=["device", "emulator"])
@pytest.mark.parametrize("worker", range(1, WORKERS + 1))
def test_an_interrupted_worker_is_the_last_and_what_was_before_it_is_kept(
    make_device: type[FakeDevice], subjects: list[Subject], worker: int, target: Target
) -> None:
    begun = start(subjects, target=target)
    uninterrupted = carry_out(make_device(scatter=0.01), begun)
    device = make_device(interrupt_at=worker, scatter=0.01)
    grown = carry_out(device, begun)
    if worker >= len(uninterrupted):  # an emulator has fewer workers
        assert grown == uninterrupted
        return
    assert len(device.specs) == len(grown) == worker
    assert grown[-1].ended == "interrupted"
    assert grown[-1].models == uninterrupted[worker - 1].models
    assert len(grown[-1].runs) == len(uninterrupted[worker - 1].runs)
    assert grown[-1].runs[:-1] == uninterrupted[worker - 1].runs[:-1]


@pytest.mark.parametrize("target", [LOCAL, EMULATED], ids=["device", "emulator"])
@pytest.mark.parametrize("worker", range(1, WORKERS + 1))
def test_resumed_it_is_the_measurement_that_was_not_interrupted(
    make_device: type[FakeDevice], subjects: list[Subject], worker: int, target: Target
) -> None:
    begun = start(subjects, target=target)
    uninterrupted = carry_out(make_device(scatter=0.01), begun)[-1]
    interrupted = carry_out(make_device(interrupt_at=worker, scatter=0.01), begun)[-1]
    resumed = carry_out(make_device(scatter=0.01), interrupted)[-1]
    assert whole(resumed.runs) == whole(uninterrupted.runs)
    assert replace(resumed, runs=()) == replace(uninterrupted, runs=())


def test_of_a_process_that_was_cut_short_the_first_round_is_kept_until_it_is_measured_anew(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    interrupted = carry_out(make_device(interrupt_at=5), start(subjects))[-1]
    (run,) = interrupted.runs
    assert isinstance(run, Timed)
    assert run.stopped == "interrupted"
    assert [len(model.bursts) for model in run.models] == [1, 1]
    device = make_device()
    assert carry_out(device, interrupted)[-1].ended == "done"
    assert [spec.rounds for spec in device.specs] == [3, 3, 3, 3]  # nothing else is done again


def test_a_complete_measurement_has_nothing_left_to_do(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    last = carry_out(make_device(), start(subjects))[-1]
    device = make_device()
    assert carry_out(device, last) == [last]
    assert device.specs == []


def test_a_smaller_interval_goes_on_with_a_complete_measurement(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    rough = replace(FEW, interval_percent=50.0)
    last = carry_out(make_device(scatter=0.01), start(subjects, rough))[-1]
    assert counts(last) == [2, 2]
    more = carry_out(make_device(scatter=0.01), replace(last, parameters=FEW))[-1]
    assert counts(more)[0] > 2
    assert more.runs[:4] == last.runs


def test_ctrl_c_before_a_worker_answers_leaves_what_was_yielded(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    class Pressed(make_device):  # type: ignore[misc, valid-type]
        def run(self, spec: Spec, report: Report) -> Answer:
            if len(self.specs) == 5:
                raise KeyboardInterrupt
            answer: Answer = super().run(spec, report)
            return answer

    growing = measure(Pressed(), start(subjects), PAPER, lambda *step: None, lambda: 0.0)
    grown = [next(growing) for _ in range(5)]
    with pytest.raises(KeyboardInterrupt):
        next(growing)
    assert counts(grown[-1]) == [1, 0]


def test_a_model_that_does_not_fit_is_skipped_by_name_and_the_others_measured(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    device = make_device(no_room=("alexnet-224x224-fp32.onnx",))
    last = carry_out(device, start(subjects))[-1]
    assert [model.skipped for model in last.models] == [
        None,
        "alexnet-224x224-fp32.onnx needs about 900 MB of memory where 500 MB are available",
        None,
    ]
    assert not last.models[1].probe
    assert counts(last) == [2, 2]
    timed = [run for run in last.runs if isinstance(run, Timed)]
    assert {model.member for run in timed for model in run.models} == {0, 2}
    again = make_device()
    assert carry_out(again, last)[-1] == last  # it is not tried again
    assert again.specs == []


def test_a_block_of_which_no_model_fits_has_no_process(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    last = carry_out(make_device(no_room=(".onnx",)), start(subjects))[-1]
    assert counts(last) == [0, 2]
    assert last.ended == "done"


def test_models_that_do_not_fit_together_are_a_block_that_is_skipped(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    class Small(make_device):  # type: ignore[misc, valid-type]
        def run(self, spec: Spec, report: Report) -> Answer:
            self.no_room = ("x0.5-224x224-fp32.onnx",) if len(spec.artifacts) > 1 else ()
            answer: Answer = super().run(spec, report)
            return answer

    last = carry_out(Small(), start(subjects))[-1]
    claim, other = last.blocks
    assert claim.skipped
    assert "x0.5-224x224-fp32.onnx needs about 900 MB" in claim.skipped
    assert not other.skipped
    assert counts(last) == [0, 2]
    assert all(model.probe for model in last.models)


def test_what_has_no_latency_is_checked_once_and_leaves_no_time(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    device = make_device()
    last = carry_out(device, start(subjects, replace(FEW, threads=(1, 2)), EMULATED))[-1]
    assert counts(last) == [1, 1, 1, 1]
    assert all(isinstance(run, Checked) for run in last.runs)
    assert {spec.rounds for spec in device.specs} == {0}
    assert last.peak_multiply_adds_per_second == {}
    assert [model.probe and model.probe.first_use for model in last.models] == [None] * 3
    document = msgspec.to_builtins([last.runs, last.models, last.blocks])
    assert not {key for key in keys(document) if key.endswith(("_ns", "_ms", "seconds"))}
    assert not any(is_open(last, block, PAPER) for block in last.blocks)


def keys(document: object) -> set[str]:
    if isinstance(document, dict):
        return {*document, *(key for value in document.values() for key in keys(value))}
    if isinstance(document, list | tuple):
        return {key for value in document for key in keys(value)}
    return set()


def test_later_processes_wait_until_the_device_is_as_at_the_first_one_s_start(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    device = make_device()
    begun = start(subjects, replace(FEW, cool_down=True))
    last = carry_out(device, begun)[-1]
    wanted = CoolDown(temperature_c=None, canary_ns=102)
    assert [spec.cool_down for spec in device.specs[4:]] == [None, *[wanted] * 3]
    again = make_device()
    carry_out(again, replace(last, runs=last.runs[:1]))
    assert {spec.cool_down for spec in again.specs} == {wanted}


def test_a_file_that_was_replaced_meanwhile_is_refused(
    make_device: type[FakeDevice], subjects: list[Subject]
) -> None:
    with pytest.raises(BenchError, match=r"x0.5.*was replaced while it was measured"):
        carry_out(make_device(wrong_file=True), start(subjects))
