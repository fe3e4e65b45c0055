"""What int8 costs: the table after an export, and the accuracy that a trained network keeps."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from shufflenet_deploy.export import cost, pipeline
from shufflenet_deploy.export.cost import Cost
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.tables import costs_table
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.images.datasets import open_dataset

DIGITS = Path(__file__).parent.parent / "data" / "digits-shufflenet-v1-g3-x0.25.pth"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the digits that the network was trained on, as files."""
    folder = tmp_path_factory.mktemp("photos")
    for index, example in enumerate(open_dataset("digits", "train").examples[:128]):
        example.read().save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def costs(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Cost]:
    """Of the trained digits network, on the digits that it has not seen."""
    request = Request(
        weights=str(DIGITS),
        precisions=("int8",),
        calibration=str(photos),
        data="digits",
        out=tmp_path_factory.mktemp("out"),
    )
    weighing = cost.Weighing(request.data, request.max_drop)
    made = pipeline.export(request, lambda line: None, weighing)
    assert [artifact.manifest.options.precision for artifact in made] == ["int8", "int8"]
    assert len(list(request.out.iterdir())) == 4  # no fp32, which was made to compare with
    return weighing.costs


def test_int8_keeps_the_accuracy_of_the_digits_network(costs: list[Cost]) -> None:
    assert [one.format for one in costs] == ["onnx", "tflite"]
    for one in costs:
        assert one.accuracy is not None
        fp32, int8 = one.accuracy.top1
        assert fp32 == pytest.approx(536 / 540)
        assert abs(fp32 - int8) <= 0.005
        assert one.accuracy.images == 540
        assert one.accuracy.agreement > 0.98
        assert one.accuracy.mcnemar_p > 0.05
        for share, (low, high) in zip(one.accuracy.top1, one.accuracy.intervals, strict=True):
            assert low < share < high


def test_every_figure_is_there(costs: list[Cost]) -> None:
    onnx, tflite = costs
    assert tflite.remarks == ({"delegate_partitions": 1}, {"delegate_partitions": 1})
    assert onnx.remarks == ({}, {})
    assert tflite.latency_ratio is not None
    assert tflite.latency_ratio > 0
    for one in costs:
        full, small = one.size_bytes
        assert small < full
        assert one.sqnr_db is not None
        assert one.sqnr_db > 15


def test_int8_for_another_processor_is_not_timed_here(costs: list[Cost]) -> None:
    onnx, _ = costs  # for arm64
    here = cost.TARGETS.get(platform.machine())
    assert (onnx.latency_ratio is None) == (here != "arm64")
    assert costs_table(costs).row_count == 4


def test_the_trained_artifact_knows_its_labels_and_its_weights(
    photos: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "shufflenet_deploy.export", "--weights", str(DIGITS),
            "--format", "onnx", "--out", str(tmp_path), "--json",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (row,) = json.loads(done.stdout)["artifacts"]
    manifest = row["manifest"]
    assert manifest["labels"] == [str(digit) for digit in range(10)]
    assert manifest["options"]["input_size"] == [64, 64]
    assert manifest["options"]["weights"] == manifest["weights"]["sha256"][:8]
    assert manifest["weights"]["origin"].startswith("pytorchcv: digits-")
    assert "random" not in done.stderr
    guess = subprocess.run(
        [
            sys.executable, "-m", "shufflenet_deploy.runtime.images.command",
            row["path"], str(photos / "0.png"), "--json",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    label = open_dataset("digits", "train").examples[0].label
    assert f'"{label}"' in guess.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--groups", "8"), "has groups 3 where groups 8 was asked for"),
        (("--precision", "int8"), "needs --calibration FOLDER"),
        (("--input-size", "16"), "too small"),
    ],
)
def test_what_contradicts_the_weights_is_one_line(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "shufflenet_deploy.export", "--weights", str(DIGITS), *arguments,
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    *_, line = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_data_without_int8_of_trained_weights_is_refused() -> None:
    with pytest.raises(ExportError, match="add --precision int8"):
        Request(data="digits", out=Path())
