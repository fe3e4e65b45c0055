from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from rich.console import Console

from shufflenet_deploy.bench.devices.boards import find_board, target
from shufflenet_deploy.bench.measure import session as campaign
from shufflenet_deploy.bench.measure.artifacts import Subject
from shufflenet_deploy.bench.measure.session import Choice, carry_out, start
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.paper.suites import find_suite
from shufflenet_deploy.bench.results import Parameters, Results, read, write
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.environment import read_environment
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Answer, Spec

if TYPE_CHECKING:
    from tests.bench.conftest import FakeDevice

PAPER = load_paper()
HERE = read_environment()
FEW = Parameters(processes=2, max_processes=2)
WriteArtifact = Callable[[Path, Options], Artifact]
ALL = Choice(named=(), suite=None, formats=(), precisions=(), folder=Path("artifacts"))


@pytest.fixture
def folder(tmp_path: Path, write_artifact: WriteArtifact) -> Path:
    """Where the quick suite's artifacts lie, and nothing else."""
    path = tmp_path / "artifacts"
    path.mkdir()
    for options in find_suite("quick").options(PAPER):
        write_artifact(path, options)
    return path


@pytest.fixture
def subjects(folder: Path) -> list[Subject]:
    paths = sorted(folder.glob("*x0.5*.onnx")) + sorted(folder.glob("alexnet*.onnx"))
    return [Subject.of(Artifact.open(path)) for path in paths]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results.json"


Begin = Callable[..., Results]


@pytest.fixture
def begin(subjects: list[Subject], out: Path) -> Begin:
    """Begins or resumes a measurement of the two artifacts; what is named is done otherwise."""

    def begin(resume: bool = False, **changes: object) -> Results:
        choices = {
            "target": target(find_board("local"), HERE),
            "environment": HERE,
            "subjects": subjects,
            "parameters": FEW,
            **changes,
        }
        return start(**choices, paper=PAPER, choice=ALL, out=out, resume=resume)  # type: ignore[arg-type]

    return begin


def silent() -> Console:
    return Console(file=io.StringIO())


def names(subjects: list[Subject]) -> list[str]:
    return [subject.path.name for subject in subjects]


def test_a_suite_s_artifacts_are_its_subjects(folder: Path) -> None:
    choice = Choice(named=(), suite="quick", formats=(), precisions=(), folder=folder)
    wanted = find_suite("quick").options(PAPER)
    assert names(choice.subjects(PAPER, pytest.fail)) == [one.file_name for one in wanted]


def test_a_suite_may_be_cut_to_formats(folder: Path) -> None:
    choice = Choice(
        named=(), suite="quick", formats=("tflite", "tflite"), precisions=(), folder=folder
    )
    found = names(choice.subjects(PAPER, pytest.fail))
    assert len(found) == 5
    assert all(name.endswith("fp32.tflite") for name in found)


def test_other_precisions_are_asked_of_the_exporter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Options] = []

    def provide(wanted: tuple[Options, ...], *others: object) -> list[Artifact]:
        asked.extend(wanted)
        return []

    monkeypatch.setattr(campaign, "provide", provide)
    choice = Choice(
        named=(), suite="quick", formats=("onnx",), precisions=("int8", "fp32"), folder=folder
    )
    assert choice.subjects(PAPER, pytest.fail) == []
    assert [options.precision for options in asked] == ["int8"] * 5 + ["fp32"] * 5


@pytest.mark.parametrize(
    ("formats", "precisions", "message"),
    [
        (("keras",), (), "--format 'keras': choose from onnx, tflite"),
        ((), ("fp8",), "--precision 'fp8': choose from fp32, fp16, int8"),
    ],
)
def test_unknown_formats_and_precisions_are_wrong_usage(
    folder: Path, formats: tuple[str, ...], precisions: tuple[str, ...], message: str
) -> None:
    choice = Choice(named=(), suite="quick", formats=formats, precisions=precisions, folder=folder)
    with pytest.raises(BenchError, match=message) as caught:
        choice.subjects(PAPER, pytest.fail)
    assert caught.value.usage


def test_what_is_named_comes_first_and_once(folder: Path) -> None:
    named = (folder / "alexnet-224x224-fp32.onnx",)
    choice = Choice(named=named, suite="quick", formats=(), precisions=(), folder=folder)
    found = choice.subjects(PAPER, pytest.fail)
    assert found[0].path == named[0]
    assert len(found) == len(set(names(found))) == 10


def test_a_file_of_another_tool_is_told_not_to_be_checked(folder: Path, tmp_path: Path) -> None:
    plain = tmp_path / "net.onnx"
    plain.write_bytes(b"of another tool")
    told: list[str] = []
    choice = Choice(named=(plain,), suite=None, formats=(), precisions=(), folder=folder)
    (subject,) = choice.subjects(PAPER, told.append)
    assert subject.manifest is None
    assert told == [f"{plain} has no manifest: it is timed, and what it computes not checked"]


def test_a_whole_measurement_is_written_as_it_grows(
    make_device: type[FakeDevice], begin: Begin, out: Path
) -> None:
    class Watching(make_device):  # type: ignore[misc, valid-type]
        def run(self, spec: Spec, report: Report) -> Answer:
            watched.append(len(read(out).runs) if out.exists() else -1)
            answer: Answer = super().run(spec, report)
            return answer

    watched: list[int] = []
    results = carry_out(Watching(), begin(), PAPER, out, silent())
    assert results.ended == "done"
    assert read(out) == results
    assert watched == [-1, 0, 0, 0, 1]  # peak, two models alone, two processes


def test_a_complete_file_is_replaced_and_a_stopped_one_is_not(begin: Begin, out: Path) -> None:
    begun = begin()
    for ended in ("done", "minutes"):  # whoever limits the time wants no more
        write(out, replace(begun, ended=ended))
        assert begin().ended == "no"
    for ended in ("no", "interrupted"):
        write(out, replace(begun, ended=ended))
        with pytest.raises(BenchError, match=r"was stopped: go on with it by --resume") as caught:
            begin()
        assert caught.value.usage


@pytest.mark.parametrize(
    ("content", "holds"),
    [("not ours", "something else"), ("{}", "something else"), ('{"profiles": []}', "a profile")],
)
def test_a_file_of_another_kind_is_not_replaced(
    content: str, holds: str, begin: Begin, out: Path
) -> None:
    out.write_text(content)
    with pytest.raises(BenchError, match=f"holds {holds}, and not results: it is not") as refused:
        begin()
    assert refused.value.usage
    assert out.read_text() == content


def test_an_empty_file_is_replaced(begin: Begin, out: Path) -> None:
    out.touch()
    assert begin().runs == ()


def test_resume_without_a_file_begins(begin: Begin) -> None:
    assert begin(resume=True).runs == ()


def test_resume_goes_on_with_what_is_there_and_takes_the_new_limits(
    make_device: type[FakeDevice], begin: Begin, out: Path
) -> None:
    first = carry_out(make_device(), begin(), PAPER, out, silent())
    limits = replace(FEW, processes=3, max_processes=6, rounds=7, interval_percent=0.5)
    going_on = begin(resume=True, parameters=replace(limits, minutes=2.0))
    assert going_on.runs == first.runs
    assert going_on.created == first.created
    assert going_on.parameters == replace(limits, minutes=2.0)
    assert going_on.ended == "no"


def test_resume_refuses_another_measurement_and_says_what_differs(
    make_device: type[FakeDevice], begin: Begin, subjects: list[Subject], out: Path
) -> None:
    carry_out(make_device(), begin(), PAPER, out, silent())
    before = out.read_bytes()
    pi = replace(target(find_board("local"), HERE), board="rpi4")
    for changes, message in (
        ({"subjects": subjects[:1]}, "the artifacts and the blocks differ"),
        ({"target": pi}, "the device differ"),
        ({"environment": replace(HERE, kernel="another")}, "the machine or its software differ"),
        ({"parameters": replace(FEW, threads=(2,))}, "the blocks and --threads, --cores or"),
        ({"parameters": replace(FEW, cores=(0,))}, ": --threads, --cores or --cool-down differ"),
        ({"parameters": replace(FEW, cool_down=True)}, ": --threads, --cores or --cool-down"),
    ):
        with pytest.raises(BenchError, match=message) as caught:
            begin(resume=True, **changes)
        assert caught.value.usage
    assert out.read_bytes() == before


def test_resume_of_a_broken_file_is_refused(begin: Begin, out: Path) -> None:
    out.write_text("{}")
    with pytest.raises(BenchError, match="version None"):
        begin(resume=True)


@pytest.fixture
def failing(make_device: type[FakeDevice]) -> Callable[[int, BaseException], FakeDevice]:
    """Makes a device that raises in place of the worker of that number, from 1."""

    def make(worker: int, error: BaseException) -> FakeDevice:
        class Failing(make_device):  # type: ignore[misc, valid-type]
            def run(self, spec: Spec, report: Report) -> Answer:
                if len(self.specs) == worker - 1:
                    raise error
                answer: Answer = super().run(spec, report)
                return answer

        return Failing()

    return make


def test_a_device_that_fails_midway_leaves_what_was_before(
    failing: Callable[[int, BaseException], FakeDevice], begin: Begin, out: Path
) -> None:
    with pytest.raises(BenchError, match=r"^it died; what was measured before is in .*--resume"):
        carry_out(failing(5, BenchError("it died")), begin(), PAPER, out, silent())
    assert len(read(out).runs) == 1
    assert begin(resume=True).runs == read(out).runs


def test_a_device_that_fails_at_once_is_told_as_it_is(
    failing: Callable[[int, BaseException], FakeDevice], begin: Begin, out: Path
) -> None:
    with pytest.raises(BenchError, match=r"^it died$"):
        carry_out(failing(1, BenchError("it died")), begin(), PAPER, out, silent())
    assert not out.exists()


@pytest.mark.parametrize("worker", range(1, 6))
def test_ctrl_c_ends_it_with_what_there_is(
    failing: Callable[[int, BaseException], FakeDevice], begin: Begin, out: Path, worker: int
) -> None:
    results = carry_out(failing(worker, KeyboardInterrupt()), begin(), PAPER, out, silent())
    assert results.ended == "interrupted"
    assert len(results.runs) == max(worker - 4, 0)
    assert not out.exists() or read(out).runs == results.runs
