"""Checking artifacts on a device: the command with real workers, and devices that fail."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.devices.agent_client import DeviceLostError, WorkerFailedError
from shufflenet_deploy.bench.measure.verification import check_manifests, verify
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.engines import engine_for
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.manifest import manifest_path, read_manifest, write_manifest
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Answer, Progress, Skipped, Spec

WriteArtifact = Callable[[Path, Options], Artifact]


def ignore(progress: Progress) -> None:
    pass


def command(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shufflenet_deploy.bench", "verify", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def pair(tiny_artifacts: Path, tmp_path: Path) -> tuple[Path, Path]:
    """One that computes what its manifest says, and one whose manifest says something else."""
    right, wrong = (
        tiny_artifacts / f"shufflenet-v1-g3-x{scale}-32x32-fp32.{suffix}"
        for scale, suffix in ((0.25, "tflite"), (0.5, "onnx"))
    )
    for file in (right, wrong):
        for path in (file, manifest_path(file)):
            shutil.copy(path, tmp_path)
    path = manifest_path(tmp_path / wrong.name)
    manifest = read_manifest(path)
    check = manifest.self_check
    logits = tuple(logit + check.deviation for logit in check.logits)
    write_manifest(path, replace(manifest, self_check=replace(check, logits=logits)))
    return tmp_path / right.name, tmp_path / wrong.name


def test_one_that_differs_is_shown_with_by_how_much_and_exits_with_1(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    right, wrong = pair
    done = command(tmp_path, right.name, wrong.name)
    assert done.returncode == 1
    assert done.stderr == f"error: not the same on local: {wrong.name}\n"
    _, _, first, second = done.stdout.splitlines()
    assert first.split()[::4] == [right.name, "1.0e-04"]
    assert first.split()[1] == "litert"
    assert first.split()[-1] == "same"
    assert second.split()[1] == "onnxruntime"
    assert second.split()[3:] == ["1.0e+00", "1.0e-04", "differs"]


def test_json_is_one_document_and_those_that_are_the_same_exit_with_0(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    right, _ = pair
    done = command(tmp_path, right.name, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    (row,) = document.pop("artifacts")
    assert document == {"device": "local"}
    assert 0 <= row.pop("difference") <= row.pop("tolerance") == 1e-4
    assert row.pop("engine_version")
    assert row == {
        "artifact": right.name,
        "engine": "litert",
        "verdict": "same",
        "reason": None,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plain.onnx"], "plain.onnx has no manifest, so nothing says what it should compute"),
        (["none.onnx"], "no artifact none.onnx"),
        (["results.json"], "results.json is no model"),
        (["plain.onnx", "--device", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_line(
    tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "plain.onnx").write_bytes(b"of another tool")
    done = command(tmp_path, *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def test_a_file_with_its_manifest_is_not_refused(
    tmp_path: Path, half: Options, write_artifact: WriteArtifact
) -> None:
    check_manifests([write_artifact(tmp_path, half).path, tmp_path / "none.onnx"])


class Failing:
    """A device on which the first worker ends in `error`, or is answered by `change`; others run
    on `inner`."""

    def __init__(self, inner: object, error: Exception | None, **change: object) -> None:
        self._inner = inner
        self._error = error
        self._change = change
        self._first = True

    def put(self, path: Path) -> str:
        return str(self._inner.put(path))  # type: ignore[attr-defined]

    def run(self, spec: Spec, report: Report) -> Answer:
        answer: Answer = self._inner.run(spec, report)  # type: ignore[attr-defined]
        if not self._first:
            return answer
        self._first = False
        if self._error:
            raise self._error
        return replace(answer, **self._change)

    def close(self) -> None:
        pass


def on_first(artifacts: list[Artifact]) -> list[tuple[Artifact, str]]:
    """Each with the first engine of its format."""
    return [(artifact, engine_for(artifact.path).name) for artifact in artifacts]


@pytest.fixture
def two(tmp_path: Path, half: Options, write_artifact: WriteArtifact) -> list[Artifact]:
    """Two, that only a device without time runs."""
    return [write_artifact(tmp_path, replace(half, scale=scale)) for scale in (0.5, 1.0)]


@pytest.mark.parametrize(
    ("error", "change", "reason"),
    [
        (WorkerFailedError("it has no such engine"), {}, "it has no such engine"),
        (
            None,
            {
                "models": (),
                "skipped": (Skipped(artifact="a", needed_bytes=9 * 10**8, available_bytes=10**8),),
            },
            "a needs about 900 MB of memory where 100 MB are available",
        ),
    ],
)
def test_one_that_does_not_run_does_not_keep_the_others_from_being_checked(
    two: list[Artifact],
    make_device: Callable[[], object],
    error: Exception | None,
    change: dict[str, object],
    reason: str,
) -> None:
    first, second = verify(Failing(make_device(), error, **change), on_first(two), ignore)
    assert (first.verdict, first.reason) == ("does not run", reason)
    assert first.difference is None
    assert (second.verdict, second.reason) == ("same", None)


def test_a_difference_that_is_no_number_is_one(
    two: list[Artifact], make_device: Callable[[], object]
) -> None:
    device = make_device()
    answer: Answer = device.run(Spec(artifacts=(str(two[0].path),)), ignore)  # type: ignore[attr-defined]
    models = (replace(answer.models[0], difference=None),)
    first, _ = verify(Failing(device, None, models=models), on_first(two), ignore)
    assert first.verdict == "differs"


def test_a_device_that_is_lost_or_interrupted_ends_it(
    two: list[Artifact], make_device: Callable[[], object]
) -> None:
    with pytest.raises(DeviceLostError):
        list(verify(Failing(make_device(), DeviceLostError("gone")), on_first(two), ignore))
    with pytest.raises(BenchError, match="no way"):
        list(verify(Failing(make_device(), BenchError("no way")), on_first(two), ignore))
    with pytest.raises(KeyboardInterrupt):
        list(verify(Failing(make_device(), None, stopped="interrupted"), on_first(two), ignore))
