"""The command as a user runs it: real processes, real artifacts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shufflenet_deploy.bench.__main__ import main
from shufflenet_deploy.bench.devices import DEVICES, Report
from shufflenet_deploy.bench.results import read
from shufflenet_deploy.runtime.artifact import manifest_path
from shufflenet_deploy.runtime.spec import Answer, Spec

if TYPE_CHECKING:
    from tests.bench.conftest import FakeDevice

BENCH = (sys.executable, "-m", "shufflenet_deploy.bench")
QUARTER, HALF = (f"shufflenet-v1-g3-x{scale}-32x32-fp32" for scale in (0.25, 0.5))


def bench(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENCH, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=120
    )


def refusal(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line by which a command failed."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("error: ")
    return done.stderr


def test_two_models_in_both_formats(tiny_artifacts: Path, tmp_path: Path) -> None:
    artifacts = [
        tiny_artifacts / f"{name}.{suffix}"
        for name in (QUARTER, HALF)
        for suffix in ("onnx", "tflite")
    ]
    done = bench(tmp_path, *artifacts, "--rounds", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("shufflenet-v1-g3-x0.25") == 2
    assert "onnxruntime" in done.stdout
    assert "litert" in done.stdout
    assert "weights are random" in done.stdout
    assert done.stderr.splitlines()[-1] == "raw samples: results.json"
    assert "[6/6] in turns: tflite, 2 models, round 2 of 2" in done.stderr
    results = read(tmp_path / "results.json")
    assert results.complete
    assert [model.name for model in results.models] == [path.name for path in artifacts]
    for model in results.models:
        assert [len(burst.samples_ns) for burst in model.bursts] == [3, 3]
        assert model.probe.peak_memory_bytes
        assert model.probe.delegate_partitions == (1 if model.name.endswith("tflite") else None)
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_json_is_the_results_and_their_summary(tiny_artifacts: Path, tmp_path: Path) -> None:
    done = bench(
        tmp_path, tiny_artifacts / f"{HALF}.onnx", "--rounds", "1", "--json", "--out", "r.json"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    summary = document.pop("summary")
    assert document == json.loads((tmp_path / "r.json").read_text())
    samples = document["models"][0]["bursts"][0]["samples_ns"]
    assert summary["models"][0]["latency_ms"] == sorted(samples)[1] / 1e6


def test_ctrl_c_keeps_and_shows_what_was_measured(tiny_artifacts: Path, tmp_path: Path) -> None:
    rounds = 8000
    process = subprocess.Popen(
        [*BENCH, tiny_artifacts / f"{QUARTER}.tflite", "--rounds", str(rounds)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "round" in line.partition("turns")[2]:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the group
            break
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 1
    assert rest.splitlines()[-1] == "error: interrupted: what was measured is in results.json"
    assert "Traceback" not in rest
    assert "shufflenet-v1-g3-x0.25" in out
    results = read(tmp_path / "results.json")
    assert not results.complete
    assert rounds // 4 <= len(results.models[0].bursts) < rounds


def test_ctrl_c_before_the_first_answer_leaves_no_file(
    tiny_artifacts: Path,
    tmp_path: Path,
    make_device: type[FakeDevice],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Pressed(make_device):  # type: ignore[misc, valid-type]
        def run(self, spec: Spec, report: Report) -> Answer:
            raise KeyboardInterrupt

    monkeypatch.setitem(DEVICES, "local", Pressed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["shufflenet-bench", str(tiny_artifacts / f"{HALF}.onnx")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert capsys.readouterr() == ("", "error: interrupted: nothing was measured\n")
    assert not list(tmp_path.iterdir())


def test_a_worker_that_fails_midway_leaves_what_was_before(
    tiny_artifacts: Path, tmp_path: Path
) -> None:
    # The manifest vouches for the file, but not for logits that the engine does not compute.
    good, bad = (tiny_artifacts / f"{name}.tflite" for name in (QUARTER, HALF))
    wrong = tmp_path / bad.name
    wrong.write_bytes(bad.read_bytes())
    manifest = json.loads(manifest_path(bad).read_text())
    manifest["self_check"]["logits"][0] += 100
    manifest_path(wrong).write_text(json.dumps(manifest))
    done = bench(tmp_path, good, wrong)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {bad.name} computes something else here")
    assert last.endswith("what was measured before is in results.json")
    assert [model.name for model in read(tmp_path / "results.json").models] == [good.name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "toaster"], "unknown device 'toaster': choose from local"),
        (["--suite", "quik"], "unknown suite 'quik': choose from quick"),
        (["--rounds", "0"], "'--rounds'"),
        (["--threads", "0"], "'--threads'"),
        (["--threads", "257"], "'--threads'"),
        (["--rounds", "many"], "'--rounds'"),
        (["--out", "none/results.json"], "there is no folder none"),
        (["--out", "/proc/results.json"], "cannot write to the folder /proc"),
        (["--out", "."], "is a folder"),
        (["none.onnx"], "no artifact none.onnx"),
        (["none.onnx", "--suite", "quick"], "not both"),
        (["--bogus"], "No such option"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in refusal(bench(tmp_path, *arguments), 2)
    assert not list(tmp_path.iterdir())


def test_an_artifact_given_twice(tiny_artifacts: Path, tmp_path: Path) -> None:
    path = tiny_artifacts / f"{HALF}.onnx"
    assert "is the same artifact as" in refusal(bench(tmp_path, path, path), 2)


def copy(artifact: Path, folder: Path) -> Path:
    for path in (artifact, manifest_path(artifact)):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / artifact.name


def test_a_truncated_artifact(tiny_artifacts: Path, tmp_path: Path) -> None:
    path = copy(tiny_artifacts / f"{HALF}.onnx", tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut off or replaced" in refusal(bench(tmp_path, path.name), 1)


def test_an_altered_artifact(tiny_artifacts: Path, tmp_path: Path) -> None:
    path = copy(tiny_artifacts / f"{HALF}.onnx", tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "it was altered" in refusal(bench(tmp_path, path.name), 1)


def test_a_manifest_of_another_version(tiny_artifacts: Path, tmp_path: Path) -> None:
    path = copy(tiny_artifacts / f"{HALF}.onnx", tmp_path)
    manifest = json.loads(manifest_path(path).read_text())
    manifest_path(path).write_text(json.dumps(manifest | {"version": 99}))
    assert "a manifest of version 99" in refusal(bench(tmp_path, path.name), 1)


def test_the_suite_s_artifacts_without_the_export_extra(tmp_path: Path) -> None:
    script = "import sys; sys.modules['torch'] = None\n" + (
        "from shufflenet_deploy.bench.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    line = refusal(done, 1)
    assert "missing in artifacts: shufflenet-v1-g3-x0.5-224x224-fp32.onnx, " in line
    assert "pip install 'shufflenet-deploy[export]'" in line


def test_help_needs_nothing_that_is_slow_to_import() -> None:
    script = """
import sys
from shufflenet_deploy.bench.__main__ import main
try:
    main()
finally:
    print({"numpy", "torch", "onnxruntime", "rich.progress"} & sys.modules.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "set()"
    assert "--rounds" in done.stdout


def test_measuring_never_imports_torch(tiny_artifacts: Path, tmp_path: Path) -> None:
    script = """
import sys
from shufflenet_deploy.bench.__main__ import main
try:
    main()
finally:
    print({"torch", "onnx"} & sys.modules.keys(), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tiny_artifacts / f"{HALF}.onnx", "--rounds", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "set()"
