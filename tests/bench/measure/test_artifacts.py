from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.measure.artifacts import Subject, open_named, open_subjects, provide
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import BenchError, InferenceError
from shufflenet_deploy.runtime.manifest import MANIFEST_VERSION, manifest_path
from shufflenet_deploy.runtime.options import Options

WriteArtifact = Callable[[Path, Options], Artifact]

# Stands for shufflenet-export: a process that logs its arguments, speaks on stdout and stderr,
# and copies to --out what a test has laid ready.
EXPORTER = """
import pathlib, shutil, sys
store, arguments = pathlib.Path(sys.argv[1]), sys.argv[2:]
with open(store.with_suffix(".log"), "a") as log:
    log.write(" ".join(arguments) + "\\n")
print("a table")
print("at work", file=sys.stderr)
out = pathlib.Path(arguments[arguments.index("--out") + 1])
out.mkdir(parents=True, exist_ok=True)
if not store.exists():
    sys.exit("error: no such network")
for file in store.iterdir():
    shutil.copy(file, out)
"""


class Exporter:
    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self.script = folder / "exporter.py"
        self.script.write_text(EXPORTER)

    @property
    def command(self) -> Sequence[str]:
        return (sys.executable, str(self.script), str(self.store))

    @property
    def calls(self) -> list[str]:
        log = self.store.with_suffix(".log")
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    return Exporter(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "artifacts"
    path.mkdir()
    return path


def test_named_artifacts_keep_their_order(
    folder: Path, half: Options, write_artifact: WriteArtifact
) -> None:
    paths = [write_artifact(folder, replace(half, scale=scale)).path for scale in (2.0, 0.5)]
    assert [artifact.path for artifact in open_named(paths)] == paths


def test_an_artifact_given_twice_is_wrong_usage(
    folder: Path, tmp_path: Path, half: Options, write_artifact: WriteArtifact
) -> None:
    path = write_artifact(folder, half).path
    copy = write_artifact(tmp_path, half).path
    for twin in (path, folder / ".." / "artifacts" / path.name, copy):
        with pytest.raises(BenchError, match=r"is the same artifact as .*: give") as caught:
            open_named([path, twin])
        assert caught.value.usage


def test_a_named_artifact_must_be_whole(
    folder: Path, half: Options, write_artifact: WriteArtifact
) -> None:
    path = write_artifact(folder, half).path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InferenceError, match="cut off or replaced"):
        open_named([path])
    with pytest.raises(InferenceError, match="no artifact") as caught:
        open_named([folder / "none.onnx"])
    assert caught.value.usage


def test_a_file_of_another_tool_is_a_subject_without_a_manifest(
    folder: Path, half: Options, write_artifact: WriteArtifact
) -> None:
    ours = write_artifact(folder, half)
    foreign = folder / "net.tflite"
    foreign.write_bytes(b"of another tool")
    assert open_subjects([foreign, ours.path]) == [
        Subject(foreign, hashlib.sha256(b"of another tool").hexdigest(), None, "litert", 15),
        Subject(
            ours.path,
            ours.manifest.sha256,
            ours.manifest,
            "onnxruntime",
            ours.manifest.size_bytes,
        ),
    ]
    assert [one.format for one in open_subjects([foreign, ours.path])] == ["tflite", "onnx"]


def test_a_copy_without_its_manifest_is_the_same_file(
    folder: Path, half: Options, write_artifact: WriteArtifact
) -> None:
    path = write_artifact(folder, half).path
    copy = folder / "copy.onnx"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(BenchError, match=r"copy\.onnx is the same artifact as .*x0\.5"):
        open_subjects([path, copy])


def test_what_no_engine_runs_is_wrong_usage(folder: Path) -> None:
    for name in ("results.json", "net.pt", "net"):
        (folder / name).write_bytes(b"something")
        with pytest.raises(
            BenchError, match=r"is no model: \.onnx and \.tflite files are"
        ) as caught:
            open_subjects([folder / name])
        assert caught.value.usage


def test_a_subject_must_be_there_and_what_its_manifest_says(
    folder: Path, half: Options, write_artifact: WriteArtifact
) -> None:
    with pytest.raises(InferenceError, match="no artifact") as caught:
        open_subjects([folder / "none.onnx"])
    assert caught.value.usage
    path = write_artifact(folder, half).path
    path.write_bytes(b"replaced")
    with pytest.raises(InferenceError, match="cut off or replaced"):
        open_subjects([path])


def test_what_is_there_is_not_exported(
    folder: Path, half: Options, write_artifact: WriteArtifact, exporter: Exporter
) -> None:
    wanted = [half, replace(half, format="tflite")]
    there = [write_artifact(folder, options) for options in wanted]
    assert provide(wanted, folder, pytest.fail, exporter.command) == there
    assert exporter.calls == []


def test_what_is_missing_is_exported_once_for_each_network(
    folder: Path,
    half: Options,
    write_artifact: WriteArtifact,
    exporter: Exporter,
    capfd: pytest.CaptureFixture[str],
) -> None:
    alexnet = replace(half, network="alexnet", groups=None, scale=None)
    wanted = [half, alexnet, replace(half, format="tflite"), replace(alexnet, format="tflite")]
    exporter.store.mkdir()
    for options in wanted[1:]:
        write_artifact(exporter.store, options)
    write_artifact(folder, half)
    told: list[str] = []
    provided = provide(wanted, folder, told.append, exporter.command)
    assert [artifact.path for artifact in provided] == [folder / one.file_name for one in wanted]
    assert exporter.calls == [
        "--network alexnet --input-size 224x224 --precision fp32 --lowering fast --format onnx "
        f"--format tflite --out {folder}",
        "--network shufflenet-v1 --groups 3 --scale 0.5 --input-size 224x224 --precision fp32 "
        f"--lowering fast --format tflite --out {folder}",
    ]
    assert told == [
        "[1/2] exporting alexnet-224x224-fp32.onnx, alexnet-224x224-fp32.tflite",
        "[2/2] exporting shufflenet-v1-g3-x0.5-224x224-fp32.tflite",
    ]
    captured = capfd.readouterr()
    assert captured.out == ""  # is for bench's own result
    assert captured.err == "at work\nat work\n"


def alter(artifact: Artifact) -> None:
    artifact.path.write_bytes(b"?" * artifact.manifest.size_bytes)


def lose_manifest(artifact: Artifact) -> None:
    manifest_path(artifact.path).unlink()


def age_manifest(artifact: Artifact) -> None:
    path = manifest_path(artifact.path)
    path.write_text(path.read_text().replace(f'"version": {MANIFEST_VERSION}', '"version": 0'))


def rename_network(artifact: Artifact) -> None:
    path = manifest_path(artifact.path)
    path.write_text(path.read_text().replace('"lowering": "fast"', '"lowering": "plain"'))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (alter, "it was altered"),
        (lose_manifest, "cannot read the manifest"),
        (age_manifest, "manifest of version 0"),
        (rename_network, "other options than its name says"),
    ],
)
def test_what_cannot_be_used_is_exported_again_and_the_reason_told(
    folder: Path,
    half: Options,
    write_artifact: WriteArtifact,
    exporter: Exporter,
    spoil: Callable[[Artifact], None],
    reason: str,
) -> None:
    exporter.store.mkdir()
    write_artifact(exporter.store, half)
    spoil(write_artifact(folder, half))
    told: list[str] = []
    (artifact,) = provide([half], folder, told.append, exporter.command)
    assert artifact.manifest.options == half
    assert len(exporter.calls) == 1
    assert told[0].startswith("not used: ")
    assert reason in told[0]


def test_a_failed_export_is_one_line(folder: Path, half: Options, exporter: Exporter) -> None:
    with pytest.raises(BenchError, match="failed on shufflenet-v1 with exit code 1") as caught:
        provide([half], folder, lambda line: None, exporter.command)
    assert not caught.value.usage


def test_wrong_usage_of_the_exporter_stays_wrong_usage(folder: Path, half: Options) -> None:
    refusing = (sys.executable, "-c", "import sys; sys.exit(2)")
    with pytest.raises(BenchError, match="with exit code 2; what it said is above") as caught:
        provide([half], folder, lambda line: None, refusing)
    assert caught.value.usage


def test_an_exporter_that_is_killed_is_told_as_such(folder: Path, half: Options) -> None:
    dying = (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(BenchError, match="failed on shufflenet-v1 with SIGSEGV; what it said"):
        provide([half], folder, lambda line: None, dying)


def test_an_export_of_something_else_is_refused(
    folder: Path, half: Options, write_artifact: WriteArtifact, exporter: Exporter
) -> None:
    exporter.store.mkdir()
    rename_network(write_artifact(exporter.store, half))
    with pytest.raises(BenchError, match="other options than were asked for"):
        provide([half], folder, lambda line: None, exporter.command)


@pytest.mark.parametrize("package", ["torch", "onnx"])
def test_without_the_export_extra_one_line_says_how_to_get_it(
    folder: Path,
    half: Options,
    write_artifact: WriteArtifact,
    exporter: Exporter,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    write_artifact(folder, half)
    missing = replace(half, scale=2.0)
    with pytest.raises(BenchError) as caught:
        provide([half, missing], folder, pytest.fail, exporter.command)
    assert str(caught.value) == (
        f"missing in {folder}: shufflenet-v1-g3-x2.0-224x224-fp32.onnx. Copy them there with "
        "their manifests, or install what exports them: pip install 'shufflenet-deploy[export]'"
    )
    assert not caught.value.usage
    assert exporter.calls == []
    assert len(provide([half], folder, pytest.fail, exporter.command)) == 1
