"""The command as a user runs it: with real processes and artifacts, or on a device without time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench import devices
from shufflenet_deploy.bench.__main__ import main
from shufflenet_deploy.bench.results import Parameters, Timed, read
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.manifest import manifest_path
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Answer, Spec
from waiting import HANG_SECONDS

if TYPE_CHECKING:
    from tests.bench.conftest import FakeDevice

BENCH = (sys.executable, "-m", "shufflenet_deploy.bench")
QUARTER, HALF = (f"shufflenet-v1-g3-x{scale}-32x32-fp32" for scale in (0.25, 0.5))
SHORT = ("--processes", "2", "--rounds", "2")


def bench(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENCH, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )


@dataclass
class Ended:
    """How a command ended that ran in this process."""

    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Ended]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Calls the command in this process, which is faster, in a folder that is empty at first."""

    def call(*arguments: str | Path) -> Ended:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["shufflenet-bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        assert isinstance(caught.value.code, int)
        return Ended(caught.value.code, *capsys.readouterr())

    return call


UseDevice = Callable[["FakeDevice"], None]


@pytest.fixture
def use_device(monkeypatch: pytest.MonkeyPatch) -> UseDevice:
    """Has the command measure on a device of the tests' own."""

    def use(device: FakeDevice) -> None:
        monkeypatch.setattr(devices, "open_device", lambda board, options: nullcontext(device))

    return use


@pytest.fixture
def pair(
    tmp_path_factory: pytest.TempPathFactory,
    half: Options,
    write_artifact: Callable[[Path, Options], Artifact],
) -> list[Path]:
    """AlexNet and ShuffleNet 0.5x, which only a device without time runs."""
    folder = tmp_path_factory.mktemp("pair")
    alexnet = replace(half, network="alexnet", groups=None, scale=None)
    return [write_artifact(folder, options).path for options in (alexnet, half)]


def refusal(done: Ended | subprocess.CompletedProcess[str], code: int) -> str:
    """The one line by which a command failed."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("error: ")
    return done.stderr


def test_two_models_in_both_formats_and_one_of_another_tool(
    tiny_artifacts: Path, tmp_path: Path
) -> None:
    artifacts = [
        tiny_artifacts / f"{name}.{suffix}"
        for name in (QUARTER, HALF)
        for suffix in ("onnx", "tflite")
    ]
    plain = tmp_path / "plain.onnx"
    # Not the same bytes as the artifact: protobuf takes a message twice, the later value counts.
    plain.write_bytes(artifacts[0].read_bytes() + b"\x12\x06theirs")
    done = bench(tmp_path, *artifacts, plain, *SHORT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nshufflenet-v1-g3-x0.25  ") == 2
    assert "onnxruntime" in done.stdout
    assert "litert" in done.stdout
    assert "random weights" in done.stdout
    assert "plain.onnx has no manifest: it is timed" in done.stderr
    assert "named, 1 thread, process 2" in done.stderr
    assert done.stderr.splitlines()[-1] == "raw samples: results.json"
    results = read(tmp_path / "results.json")
    assert results.ended == "done"
    assert [model.name for model in results.models] == [
        *(one.name for one in artifacts),
        plain.name,
    ]
    for model in results.models:
        assert model.probe
        assert model.probe.peak_memory_bytes
        expected = {"onnx": {}, "tflite": {"delegate_partitions": 1}}
        assert model.probe.remarks == expected[model.format]
        assert (model.probe.difference is None) == (model.name == plain.name)
    assert len(results.runs) == 2
    for run in results.runs:
        assert isinstance(run, Timed)
        assert [one.member for one in run.models] == [0, 1, 2, 3, 4]
        assert all(len(burst.samples_ns) == 3 for one in run.models for burst in one.bursts)
    assert results.peak_multiply_adds_per_second[1] > 1e6
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", plain.name}


def test_json_is_the_results_and_their_summary(
    pair: list[Path], make_device: type[FakeDevice], use_device: UseDevice, call: Call
) -> None:
    use_device(make_device())
    done = call(*pair, *SHORT, "--json", "--out", "r.json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["results"] == json.loads(Path("r.json").read_text())
    assert document["summary"]["models"][0]["latency_ms"]["value"] == pytest.approx(1.0)
    assert document["summary"]["verdicts"][0]["outcome"] == "contradicted"


def test_ctrl_c_keeps_and_shows_what_was_measured_and_resume_completes_it(
    tiny_artifacts: Path, tmp_path: Path
) -> None:
    path = tiny_artifacts / f"{QUARTER}.tflite"
    # So many that it does not come to an end before somebody has pressed, however late.
    process = subprocess.Popen(
        [*BENCH, str(path), "--processes", "1000", "--rounds", "2000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "process 2" in line:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the group
            break
    out, rest = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 1
    assert rest.splitlines()[-1] == (
        "error: interrupted: what was measured is in results.json, --resume goes on"
    )
    assert "Traceback" not in rest
    assert "shufflenet-v1-g3-x0.25" in out
    kept = read(tmp_path / "results.json")
    assert kept.ended == "interrupted"
    assert 1 <= len(kept.runs) < 1000

    # One more than there are, or four.
    processes = max(len(kept.runs) + 1, 4)
    limits = ("--processes", str(processes), "--rounds", str(2 * processes))
    assert "go on with it by --resume" in refusal(bench(tmp_path, path, *limits), 2)

    done = bench(tmp_path, path, *limits, "--resume")
    assert done.returncode == 0, done.stderr
    assert "alone: " not in done.stderr
    results = read(tmp_path / "results.json")
    assert results.ended == "done"
    assert [run.process for run in results.runs] == list(range(processes))
    assert results.runs[0] == kept.runs[0]


def test_ctrl_c_before_the_first_answer_leaves_no_file(
    pair: list[Path],
    tmp_path: Path,
    make_device: type[FakeDevice],
    use_device: UseDevice,
    call: Call,
) -> None:
    class Pressed(make_device):  # type: ignore[misc, valid-type]
        answers: int

        def run(self, spec: Spec, report: Report) -> Answer:
            if len(self.specs) == self.answers:
                raise KeyboardInterrupt
            answer: Answer = super().run(spec, report)
            return answer

    for answers, message in ((0, "interrupted"), (1, "interrupted: nothing was measured")):
        device = Pressed()
        device.answers = answers
        use_device(device)
        done = call(*pair)
        assert done == Ended(1, "", f"error: {message}\n")
        assert not list(tmp_path.iterdir())


def test_a_worker_that_fails_midway_leaves_what_was_before(
    tiny_artifacts: Path, tmp_path: Path, call: Call
) -> None:
    # The manifest vouches for the file, but not for logits that the engine does not compute.
    good, bad = (tiny_artifacts / f"{name}.tflite" for name in (QUARTER, HALF))
    wrong = tmp_path / bad.name
    wrong.write_bytes(bad.read_bytes())
    manifest = json.loads(manifest_path(bad).read_text())
    manifest["self_check"]["logits"][0] += 100
    manifest_path(wrong).write_text(json.dumps(manifest))
    done = call(good, wrong)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {bad.name} computes something else here")
    assert last.endswith(
        "what was measured before is in results.json, and --resume goes on with it"
    )
    models = read(tmp_path / "results.json").models
    assert [model.name for model in models if model.probe] == [good.name]


def test_check_fails_where_a_claim_is_contradicted_and_nothing_else_does(
    pair: list[Path], make_device: type[FakeDevice], use_device: UseDevice, call: Call
) -> None:
    for options, code in (((), 0), (("--check",), 1)):
        use_device(make_device())  # to which all networks are equally fast
        done = call(*pair, *SHORT, *options)
        assert done.returncode == code
        assert "contradicted" in done.stdout
        assert ("--check: contradicted here: alexnet" in done.stderr) == bool(code)


def test_threads_are_swept_and_cores_and_rounds_passed_on(
    pair: list[Path], make_device: type[FakeDevice], use_device: UseDevice, call: Call
) -> None:
    device = make_device()
    use_device(device)
    done = call(*pair, "--processes", "2", "--rounds", "6", "--threads", "1,2", "--cores", "0,1")
    assert done.returncode == 0, done.stderr
    blocks = [spec for spec in device.specs if len(spec.artifacts) == 2]
    assert [spec.threads for spec in blocks] == [1, 2, 1, 2]
    assert {(spec.cores, spec.rounds) for spec in blocks} == {((0, 1), 3)}
    assert "2 threads" in done.stdout


def test_without_options_the_parameters_are_those_of_the_results(
    pair: list[Path], make_device: type[FakeDevice], use_device: UseDevice, call: Call
) -> None:
    use_device(make_device())
    done = call(*pair)
    assert done.returncode == 0, done.stderr
    assert read(Path("results.json")).parameters == Parameters()


def test_a_limit_of_time_is_told_and_resume_goes_on(
    pair: list[Path], make_device: type[FakeDevice], use_device: UseDevice, call: Call
) -> None:
    use_device(make_device())
    done = call(*pair, *SHORT, "--max-minutes", "0")
    assert done.returncode == 0, done.stderr
    assert "--max-minutes is over before all was measured: --resume goes on" in done.stderr
    assert read(Path("results.json")).ended == "minutes"
    done = call(*pair, *SHORT, "--resume", "--budget-ms", "20")
    assert done.returncode == 0, done.stderr
    assert "within 20 ms on fake 1 224x224 fp32 1 thread: alexnet, 1.00 ms" in done.stdout
    assert read(Path("results.json")).ended == "done"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "toaster"], "unknown device 'toaster': choose from local"),
        (["--device", "emulated", "--cpu", "m1"], "--cpu 'm1': choose from cortex-a53"),
        (["--cpu", "cortex-a72"], "--cpu means nothing to local, which is this machine"),
        (["--counts", "all"], "--counts 'all': choose instructions or cache"),
        (["--provision", "docker"], "--provision 'docker': choose venv or bundle"),
        (
            ["--native-runner", "none"],
            "--native-runner means nothing to local, which is this machine: leave it out",
        ),
        (["--device", "android", "--native-runner", "none"], "--native-runner none: it is no file"),
        (["--suite", "quik"], "unknown suite 'quik': choose from quick"),
        (["--format", "keras"], "--format 'keras': choose from onnx, tflite"),
        (["--rounds", "0"], "'--rounds'"),
        (["--rounds", "many"], "'--rounds'"),
        (["--processes", "0"], "'--processes'"),
        (["--max-minutes", "-1"], "'--max-minutes'"),
        (["--threads", "0"], "--threads: 0 is not between 1 and 256"),
        (["--threads", "257"], "--threads: 257 is not between 1 and 256"),
        (["--threads", ""], "--threads '': give numbers such as 1 or 1,2,4"),
        (["--threads", "1,two"], "--threads '1,two': give numbers"),
        (["--cores", "0,-1"], "--cores: -1 is not between 0 and 4095"),
        (["--out", "none/results.json"], "there is no folder none"),
        (["--out", "/proc/results.json"], "cannot write to the folder /proc"),
        (["--out", "."], "is a folder"),
        (["none.onnx"], "no artifact none.onnx"),
        (["results.json"], "results.json is no model: .onnx and .tflite files are"),
        (["--bogus"], "No such option"),
        (["compare"], "A.json"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    call: Call, tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in refusal(call(*arguments), 2)
    assert not list(tmp_path.iterdir())


def test_wrong_usage_of_the_real_command(tmp_path: Path) -> None:
    assert "unknown device 'toaster'" in refusal(bench(tmp_path, "--device", "toaster"), 2)


def test_an_artifact_given_twice(tiny_artifacts: Path, call: Call) -> None:
    path = tiny_artifacts / f"{HALF}.onnx"
    assert "is the same artifact as" in refusal(call(path, path), 2)


def copy(artifact: Path, folder: Path) -> Path:
    for path in (artifact, manifest_path(artifact)):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / artifact.name


def test_a_truncated_artifact(tiny_artifacts: Path, tmp_path: Path, call: Call) -> None:
    path = copy(tiny_artifacts / f"{HALF}.onnx", tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut off or replaced" in refusal(call(path.name), 1)


def test_an_altered_artifact(tiny_artifacts: Path, tmp_path: Path, call: Call) -> None:
    path = copy(tiny_artifacts / f"{HALF}.onnx", tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "it was altered" in refusal(call(path.name), 1)


def test_a_manifest_of_another_version(tiny_artifacts: Path, tmp_path: Path, call: Call) -> None:
    path = copy(tiny_artifacts / f"{HALF}.onnx", tmp_path)
    manifest = json.loads(manifest_path(path).read_text())
    manifest_path(path).write_text(json.dumps(manifest | {"version": 99}))
    assert "a manifest of version 99" in refusal(call(path.name), 1)


def test_the_suite_s_artifacts_without_the_export_extra(tmp_path: Path) -> None:
    script = "import sys; sys.modules['torch'] = None\n" + (
        "from shufflenet_deploy.bench.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    line = refusal(done, 1)
    assert "missing in artifacts: shufflenet-v1-g3-x0.5-224x224-fp32.onnx, " in line
    assert "pip install 'shufflenet-deploy[export]'" in line


def test_the_boards_are_listed(call: Call) -> None:
    done = call("devices")
    assert done.returncode == 0
    assert "Raspberry Pi 4" in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]], ids=str)
def test_help_needs_nothing_that_is_slow_to_import(arguments: list[str]) -> None:
    script = """
import sys
from shufflenet_deploy.bench.__main__ import main
try:
    main()
finally:
    print({"numpy", "torch", "onnxruntime", "rich.progress"} & sys.modules.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "set()"
    assert ("--rounds" if "run" in arguments else "compare") in done.stdout


def test_measuring_never_imports_torch(tiny_artifacts: Path, tmp_path: Path) -> None:
    script = """
import sys
from shufflenet_deploy.bench.__main__ import main
try:
    main()
finally:
    print({"torch", "onnx"} & sys.modules.keys(), file=sys.stderr)
"""
    command = [sys.executable, "-c", script, str(tiny_artifacts / f"{HALF}.onnx")]
    done = subprocess.run(
        [*command, "--processes", "1", "--rounds", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "set()"
