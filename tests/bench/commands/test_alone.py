"""``--sustained`` and ``--end-to-end`` by the real command, on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from shufflenet_deploy.runtime.images.stages import STAGES
from waiting import HANG_SECONDS

BENCH = [sys.executable, "-m", "shufflenet_deploy.bench"]
WIDE = {**os.environ, "COLUMNS": "200"}


def bench(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENCH, *map(str, words)], cwd=folder, env=WIDE, capture_output=True, text=True,
        timeout=HANG_SECONDS, check=False,
    )  # fmt: skip


@pytest.fixture
def models(tiny_artifacts: Path) -> list[Path]:
    return [*tiny_artifacts.glob("*x0.25*.onnx"), *tiny_artifacts.glob("*x0.25*.tflite")]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.effect_noise((320, 240), 80).convert("RGB").save(path)
    return path


def test_a_sustained_load_is_shown_written_and_shown_again(
    models: list[Path], tmp_path: Path
) -> None:
    done = bench(tmp_path, models[1], "--sustained", "0.2")
    assert done.returncode == 0, done.stderr
    assert "steady state: " in done.stdout
    document = json.loads((tmp_path / "sustained.json").read_text())
    windows = document["windows"]
    assert sum(window["runs"] for window in windows) > len(windows)
    assert windows[-1]["seconds"] < 12
    assert not document["interrupted"]
    assert bench(tmp_path, "show", "sustained.json").stdout == done.stdout
    # What it has written itself it writes again, and nothing else.
    assert bench(tmp_path, models[1], "--sustained", "0.05").returncode == 0
    (tmp_path / "other.json").write_text('{"a": 1}')
    refused = bench(tmp_path, models[1], "--sustained", "0.05", "--out", "other.json")
    assert refused.returncode == 2
    assert "it is not replaced" in refused.stderr


def test_ctrl_c_keeps_the_course_so_far(models: list[Path], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*BENCH, str(models[1]), "--sustained", "10", "--json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stderr
        assert "sustained: " in process.stderr.readline()
        time.sleep(4)  # some windows of a second; fewer are no failure, none is told of
        process.send_signal(signal.SIGINT)
        output, said = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 1
    last = said.splitlines()[-1]
    if output:
        assert last == "error: interrupted: what was measured until then is in sustained.json"
        assert json.loads(output)["interrupted"]
        assert json.loads((tmp_path / "sustained.json").read_text())["windows"]
    else:
        assert last == "error: interrupted"


def test_each_stage_stands_beside_inference(
    models: list[Path], photo: Path, tmp_path: Path
) -> None:
    done = bench(tmp_path, *models, "--end-to-end", photo)
    assert done.returncode == 0, done.stderr
    assert "from photo.jpg (320x240) to a label" in done.stdout
    document = json.loads((tmp_path / "end-to-end.json").read_text())
    assert [model["engine"] for model in document["models"]] == ["onnxruntime", "litert"]
    for model in document["models"]:
        assert len(model["processes"]) == 5
        for process in model["processes"]:
            assert list(process["stages_ns"]) == list(STAGES)
            assert {len(times) for times in process["stages_ns"].values()} == {20}
    labels = {process["label"] for model in document["models"] for process in model["processes"]}
    assert len(labels) == 1
    assert bench(tmp_path, "show", "end-to-end.json").stdout == done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("A", "B", "--sustained", "1"),
            2,
            "--sustained runs one model with one number of threads",
        ),
        (("A", "--sustained", "1", "--threads", "1,2"), 2, "not 1 with 2"),
        (("A", "--sustained", "0"), 2, "'--sustained'"),
        (("A", "--sustained", "1", "--profile"), 2, "--profile and --sustained: give one of them"),
        (("A", "--end-to-end", "none.jpg"), 2, "no image none.jpg"),
        (("A", "--end-to-end", "A"), 1, "is not an image"),
        (("C", "--end-to-end", "photo.jpg"), 2, "has no manifest, so its preprocessing is unknown"),
        (("A", "--device", "emulated", "--sustained", "1"), 2, "of emulated is no latency"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: tuple[str, ...],
    code: int,
    said: str,
    models: list[Path],
    photo: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "c.onnx").write_bytes(models[0].read_bytes())
    names = {"A": str(models[0]), "B": str(models[1]), "C": "c.onnx"}
    done = bench(tmp_path, *(names.get(word, word) for word in words))
    assert done.returncode == code, done.stderr
    assert said in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("*.json"))
