"""shufflenet-export as its user has it: a process, its streams, its exit code, its files."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shufflenet_deploy.export import __main__ as export_command
from shufflenet_deploy.export import gate
from shufflenet_deploy.models.networks import NETWORKS
from shufflenet_deploy.runtime.artifact import Artifact
from small_disk import small_disk


def _run(
    *arguments: str, cwd: Path, before: Callable[[], object] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shufflenet_deploy.export", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=before,
    )


def _error(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error, behind what was said of progress."""
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    *_, line = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_the_readmes_command_makes_a_verified_artifact(tmp_path: Path) -> None:
    done = _run("--groups", "3", "--scale", "0.25", "--format", "tflite", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    name = "shufflenet-v1-g3-x0.25-224x224-fp32.tflite"
    assert f"artifacts/{name}" in done.stdout
    assert "useless for recognising" in done.stderr
    assert (
        Artifact.open(tmp_path / "artifacts" / name).manifest.remarks.get("delegate_partitions")
        == 1
    )


def test_json_is_one_document_and_nothing_else(tmp_path: Path) -> None:
    done = _run("--scale", "0.25", "--input-size", "32", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [Path(row["path"]).suffix for row in document["artifacts"]] == [".onnx", ".tflite"]
    assert document["artifacts"][0]["manifest"]["options"]["input_size"] == [32, 32]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--groups", "5"), "shufflenet-v1 has no groups 5: choose from 1, 2, 3, 4, 8"),
        (("--groups", "three"), "'--groups'"),
        (("--format", "ncnn"), "unknown format 'ncnn'"),
        (("--network", "vgg"), "unknown network 'vgg'"),
        (("--input-size", "16"), "too small"),
        (("--colour",), "--colour"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = _run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in _error(done)
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("mine")
    done = _run("--input-size", "32", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot write to artifacts" in _error(done)
    assert (tmp_path / "artifacts").read_text() == "mine"


def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    # Nothing can be made under /proc, not even by root, whom permissions do not stop.
    done = _run("--input-size", "32", "--out", "/proc/artifacts", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot write to /proc/artifacts" in _error(done)


def test_a_file_that_cannot_grow_leaves_nothing(tmp_path: Path) -> None:
    # The kernel's limit on a file's size ends a write halfway, as a full disk does.
    limit = 1_000_000

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = _run("--input-size", "32", "--format", "tflite", cwd=tmp_path, before=limited)
    assert done.returncode == 1
    assert "cannot write to artifacts: File too large" in _error(done)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        (disk / "mine").write_text("kept")
        done = _run("--input-size", "32", "--format", "tflite", "--out", str(disk), cwd=tmp_path)
        assert done.returncode == 1
        assert "No space left on device" in _error(done)
        assert [path.name for path in disk.iterdir()] == ["mine"]


INT8 = ("--scale", "0.25", "--input-size", "32", "--precision", "int8", "--analyse")


def test_layers_are_told_by_what_they_cost(tmp_path: Path) -> None:
    done = _run(*INT8, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = [f"shufflenet-v1-g3-x0.25-32x32-int8.{suffix}" for suffix in ("onnx", "tflite")]
    # Both have the graph in common, and so one table.
    title = f"{', '.join(names)}: what is left with one layer alone in 8 bits"
    _, _, below = done.stdout.partition(title)
    heading, *rows = below.strip().splitlines()
    assert heading.split()[:3] == ["layer", "weights", "dB"]
    decibels = [
        min(float(cell) for cell in row.split()[1:3] if cell != "-") for row in rows if row.strip()
    ]
    assert len(decibels) > 60
    assert decibels == sorted(decibels)


def test_layers_are_in_the_document_too(tmp_path: Path) -> None:
    done = _run(*INT8, "--format", "onnx", "--json", cwd=tmp_path)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    (analysis,) = json.loads(done.stdout, parse_constant=refuse)["int8_layers"]
    assert analysis["artifact"] == "shufflenet-v1-g3-x0.25-32x32-int8.onnx"
    (stem,) = [layer for layer in analysis["layers"] if layer["name"] == "conv2d"]
    assert stem["kind"] == "3x3"
    assert stem["range"][0] == 0
    assert stem["weights_db"] > 10
    assert stem["activation_db"] > 10
    assert 0 <= stem["saturated"] < 0.1


def test_layers_of_what_was_refused_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = Path(__file__).parent.parent / "data" / "digits-shufflenet-v1-g3-x0.25.pth"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gate, "MIN_SQNR_DB", 200.0)
    words = ["--weights", str(digits), "--calibration", "digits", "--samples", "16"]
    monkeypatch.setattr(sys, "argv", ["shufflenet-export", *words, *INT8[-3:], "--format", "onnx"])
    with pytest.raises(SystemExit) as exited:
        export_command.main()
    assert exited.value.code == 1
    said = capsys.readouterr()
    assert said.err.splitlines()[-1].startswith("error: int8 agrees with fp32 on")
    title, heading, *_ = said.out.splitlines()
    assert title.endswith("what is left with one layer alone in 8 bits")
    assert heading.split()[0] == "layer"
    assert list(tmp_path.iterdir()) == []


def test_help_says_what_can_be_asked_for(tmp_path: Path) -> None:
    done = _run("--help", cwd=tmp_path)
    assert done.returncode == 0
    for option in ("--groups", "--scale", "--format", "--input-size", "--lowering", "--out"):
        assert option in done.stdout
    assert all(network in done.stdout for network in NETWORKS)


def test_help_imports_neither_torch_nor_numpy(tmp_path: Path) -> None:
    code = (
        "import sys; from shufflenet_deploy.export.__main__ import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "sys.exit(','.join({'torch', 'numpy', 'onnx'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
