"""Every command that reads a file of ours, given each kind of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from called import Caller, Ended
from shufflenet_deploy.bench import devices, results
from shufflenet_deploy.bench.__main__ import main as bench
from shufflenet_deploy.bench.accuracy.evaluation import Evaluation
from shufflenet_deploy.bench.analysis.summarise import summarise
from shufflenet_deploy.bench.commands.report import main as report
from shufflenet_deploy.bench.compare.comparison import compare
from shufflenet_deploy.bench.compare.counts import compare_counts
from shufflenet_deploy.bench.counted import Counted
from shufflenet_deploy.bench.documents import KINDS, kind_at, kind_of
from shufflenet_deploy.bench.measure import counts
from shufflenet_deploy.bench.measure.alone import profiling
from shufflenet_deploy.bench.measure.alone.end_to_end import EndToEnd
from shufflenet_deploy.bench.measure.alone.sustained import SustainedLoad
from shufflenet_deploy.bench.measure.counts import Counts, Entry
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import Model, Results
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.manifest import manifest_path
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.profiling.kinds import Operator
from shufflenet_deploy.runtime.profiling.profile import Profile, attribute
from shufflenet_deploy.runtime.profiling.trace import Trace

if TYPE_CHECKING:
    from tests.bench.conftest import FakeDevice

WHAT = {
    "results": "results",
    "counts": "counts of instructions",
    "profile": "a profile",
    "sustained": "a sustained load",
    "end to end": "an end-to-end measurement",
    "manifest": "an artifact's manifest",
    "comparison": "a comparison",
    "comparison of counts": "a comparison",
    "document": "what shufflenet-bench --json prints",
    "evaluation": "an evaluation",
}
REMEDIES = {
    "results": "shufflenet-bench show prints them",
    "counts": "shufflenet-bench show prints them",
    "profile": "shufflenet-bench show prints it",
    "sustained": "shufflenet-bench show prints it",
    "end to end": "shufflenet-bench show prints it",
    "manifest": "shufflenet-bench measures the artifact that it lies beside",
    "comparison": "give the files that were compared",
    "comparison of counts": "give the files that were compared",
    "document": "give what --out wrote",
    "evaluation": "shufflenet-eval prints one",
}


def a_profile() -> Profile:
    operators = (Operator("conv2d", "FusedConv", "convolution"),)
    surplus_ns, profiled = attribute(Trace(operators, ((400_000,),)), 100_000)
    return Profile(
        engine="onnxruntime",
        engine_version="1.32.0",
        artifact="artifacts/network.onnx",
        threads=1,
        runs=100,
        total_ns=1_300_000,
        unprofiled_ns=1_000_000,
        profiler_ratio=1.3,
        surplus_ns=surplus_ns,
        operators=profiled,
    )


def some_counts(complete: bool = True) -> Counts:
    entry = Entry(
        artifact="network.onnx",
        sha256="0" * 64,
        options=None,
        multiply_adds=1_000_000,
        engine="onnxruntime",
        engine_version="1.32.0",
        cpu="cortex-a72",
        difference=0.0,
        counted=Counted(instructions=123_450_000, spread=0.0, cache=None),
    )
    return Counts(qemu="8.2", counts="instructions", entries=(entry,), complete=complete)


@pytest.fixture
def measured(make_model: Callable[..., Model], make_results: Callable[..., Results]) -> Results:
    return make_results(make_model(scale=0.5), make_model("alexnet"))


@pytest.fixture
def files(
    measured: Results,
    half: Options,
    tmp_path: Path,
    write_artifact: Callable[[Path, Options], Artifact],
) -> Mapping[str, Path]:
    """A file of each kind, written as the commands do."""
    paths = {kind: tmp_path / f"{kind.replace(' ', '-')}.json" for kind in WHAT}
    results.write(paths["results"], measured)
    counts.write(paths["counts"], some_counts())
    paths["profile"].write_bytes(profiling.encode([a_profile()]))
    paths["manifest"] = manifest_path(write_artifact(tmp_path, half).path)
    documents = {
        "sustained": SustainedLoad(
            created=measured.created,
            target=measured.target,
            environment=measured.environment,
            model="network.onnx",
            sha256="0" * 64,
            engine="onnxruntime",
            engine_version="1.32.0",
            threads=1,
            cores=(),
            asked_seconds=60.0,
            interrupted=False,
            windows=(),
        ),
        "end to end": EndToEnd(
            created=measured.created,
            target=measured.target,
            environment=measured.environment,
            image="photo.jpg",
            image_size=(480, 640),
            cores=(),
            models=(),
        ),
        "comparison": compare(measured, measured),
        "comparison of counts": compare_counts(some_counts(), some_counts()),
        "document": {"results": measured, "summary": summarise(measured, load_paper())},
        "evaluation": Evaluation(
            data="photos", classes=10, images=0, unusable=(), batch=1, threads=1, artifacts=()
        ),
    }
    for kind, document in documents.items():
        paths[kind].write_bytes(msgspec.json.encode(document))
    return paths


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Caller:
    return Caller(tmp_path, monkeypatch, capsys)


def refusal(done: Ended) -> str:
    """The one line of wrong usage."""
    assert done.code == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


NO_RESULTS = [kind for kind in WHAT if kind != "results"]
NO_COUNTS = [kind for kind in WHAT if kind != "counts"]


@pytest.mark.parametrize("kind", WHAT)
def test_each_kind_is_told_from_all_others(files: Mapping[str, Path], kind: str) -> None:
    there = kind_at(files[kind])
    assert there
    assert there.what == WHAT[kind]
    document = msgspec.json.decode(files[kind].read_bytes())
    assert [one for one in KINDS if one.keys <= document.keys()] == [there]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "1", '{"version": 2}', "\udcff"])
def test_what_is_not_ours_is_of_no_kind(tmp_path: Path, content: str) -> None:
    path = tmp_path / "theirs.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    assert kind_at(path) is None
    assert kind_at(tmp_path / "missing.json") is None
    assert kind_of({"name": "package"}) is None


@pytest.mark.parametrize("kind", NO_RESULTS)
def test_a_report_of_another_kind_says_what_it_is(
    files: Mapping[str, Path], call: Caller, tmp_path: Path, kind: str
) -> None:
    said = refusal(call(report, files[kind], "--out", "report.md"))
    assert f"{files[kind]} holds {WHAT[kind]}, not results: {REMEDIES[kind]}" in said
    assert not (tmp_path / "report.md").exists()


@pytest.mark.parametrize("other_first", [False, True])
@pytest.mark.parametrize("kind", NO_RESULTS)
def test_a_comparison_of_results_with_another_kind_says_what_it_is(
    files: Mapping[str, Path], call: Caller, kind: str, other_first: bool
) -> None:
    pair = [files["results"], files[kind]]
    said = refusal(call(bench, "compare", *(reversed(pair) if other_first else pair)))
    if kind == "counts":
        assert "holds results and the other file counts of instructions: compare two of" in said
    else:
        assert f"{files[kind]} holds {WHAT[kind]}, not results: {REMEDIES[kind]}" in said


@pytest.mark.parametrize("other_first", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in NO_COUNTS if kind != "results"])
def test_a_comparison_of_counts_with_another_kind_says_what_it_is(
    files: Mapping[str, Path], call: Caller, kind: str, other_first: bool
) -> None:
    pair = [files["counts"], files[kind]]
    said = refusal(call(bench, "compare", *(reversed(pair) if other_first else pair)))
    assert f"{files[kind]} holds {WHAT[kind]}, not counts of instructions: {REMEDIES[kind]}" in said


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_comparison_of_counts_with_what_is_not_ours_is_one_line(
    files: Mapping[str, Path], call: Caller, tmp_path: Path, content: str | None
) -> None:
    other = tmp_path / "theirs.json"
    if content is not None:
        other.write_text(content)
    done = call(bench, "compare", files["counts"], other)
    assert done.code == (2 if content is None else 1)
    assert str(other) in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", NO_RESULTS)
def test_a_measurement_does_not_go_on_with_another_kind(
    files: Mapping[str, Path],
    call: Caller,
    tmp_path: Path,
    half: Options,
    make_device: type[FakeDevice],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setattr(devices, "open_device", lambda board, options: nullcontext(make_device()))
    before = files[kind].read_bytes()
    artifact = tmp_path / half.file_name
    said = refusal(call(bench, artifact, "--resume", "--out", files[kind]))
    assert f"--resume: {files[kind]} holds {WHAT[kind]}, not results: {REMEDIES[kind]}" in said
    assert "name another file with --out" in said
    assert files[kind].read_bytes() == before


@pytest.mark.parametrize("kind", NO_COUNTS)
def test_a_count_does_not_go_on_with_another_kind(
    files: Mapping[str, Path], call: Caller, tmp_path: Path, half: Options, kind: str
) -> None:
    before = files[kind].read_bytes()
    artifact = tmp_path / half.file_name
    said = refusal(call(bench, "counts", artifact, "--resume", "--out", files[kind]))
    assert f"--resume: {files[kind]} holds {WHAT[kind]}, not counts of instructions: " in said
    assert REMEDIES[kind] in said
    assert files[kind].read_bytes() == before


def test_results_a_profile_and_counts_are_shown_again(
    files: Mapping[str, Path], call: Caller
) -> None:
    shown = {kind: call(bench, "show", files[kind]) for kind in ("results", "counts", "profile")}
    assert [done.code for done in shown.values()] == [0, 0, 0]
    assert "ratios of these times" in shown["results"].stdout
    assert "123.45" in shown["counts"].stdout
    assert "network.onnx, onnxruntime 1.32.0, 1 thread, 100 runs" in shown["profile"].stdout
    assert "FusedConv" in shown["profile"].stdout


def test_show_shows_the_results_of_this_folder(files: Mapping[str, Path], call: Caller) -> None:
    assert call(bench, "show").stdout == call(bench, "show", files["results"]).stdout != ""


@pytest.mark.parametrize(
    "kind", ["manifest", "comparison", "comparison of counts", "document", "evaluation"]
)
def test_what_cannot_be_shown_is_told_by_its_kind(
    files: Mapping[str, Path], call: Caller, kind: str
) -> None:
    said = refusal(call(bench, "show", files[kind]))
    assert f"{files[kind]} holds {WHAT[kind]}" in said
    assert REMEDIES[kind] in said


@pytest.mark.parametrize(("content", "code"), [("{", 1), ("{}", 1), ("[]", 1), (None, 2)])
def test_show_refuses_what_is_not_ours_in_one_line(
    call: Caller, tmp_path: Path, content: str | None, code: int
) -> None:
    path = tmp_path / "theirs.json"
    if content is not None:
        path.write_text(content)
    done = call(bench, "show", path)
    assert done.code == code
    assert str(path) in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_profile_that_lacks_something_is_one_line(call: Caller, tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text('{"profiles": [{}]}')
    done = call(bench, "show", path)
    assert done.code == 1
    assert f"{path} holds no profile: " in done.stderr
    assert done.stderr.count("\n") == 1
