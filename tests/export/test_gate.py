"""What int8 of trained weights may lose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shufflenet_deploy.export import cost, pipeline
from shufflenet_deploy.export.cost import Accuracy, Cost, Weighing
from shufflenet_deploy.export.gate import Gate
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.tables import costs_table
from shufflenet_deploy.export.verify import Judgement
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.manifest import Calibration

CALIBRATION = Calibration(source="photos", samples=200, held_out=64, seed=0, unusable=0)
GOOD = Judgement(images=64, sqnr_db=20.0, agreement=0.95)


def test_what_agrees_passes_in_silence() -> None:
    assert Gate(60.0).require(GOOD, CALIBRATION) is None


def test_what_agrees_less_is_warned_of_with_the_figures() -> None:
    line = Gate(60.0).require(replace(GOOD, agreement=0.8), CALIBRATION)
    assert line is not None
    assert line.startswith("warning: int8 agrees with fp32 on 80% of 64 held-out images of photos")
    assert "SQNR 20.0 dB" in line
    assert "such as it will see" in line


@pytest.mark.parametrize("lost", [replace(GOOD, agreement=0.55), replace(GOOD, sqnr_db=5.9)])
def test_what_agrees_too_little_is_refused(lost: Judgement) -> None:
    with pytest.raises(ExportError, match="--min-agreement 0; nothing was written"):
        Gate(60.0).require(lost, CALIBRATION)


def test_few_images_are_named_as_the_cause() -> None:
    few = Calibration(source="photos", samples=12, held_out=4, seed=0, unusable=0)
    line = Gate(60.0).require(replace(GOOD, agreement=0.8), few)
    assert line is not None
    assert "12 images are few to calibrate with" in line


def test_0_lets_everything_through_and_random_weights_are_not_judged() -> None:
    bad = Judgement(images=64, sqnr_db=0.1, agreement=0.0)
    assert "warning" in (Gate(0.0).require(bad, CALIBRATION) or "")
    assert Gate(None).require(bad, CALIBRATION) is None


@pytest.mark.parametrize("percent", [-1.0, 101.0, float("nan")])
def test_a_limit_that_is_no_percentage_is_wrong_usage(percent: float) -> None:
    with pytest.raises(ExportError, match="give a percentage") as caught:
        Request(min_agreement=percent, out=Path())
    assert caught.value.usage


def test_a_drop_below_nothing_is_wrong_usage() -> None:
    with pytest.raises(ExportError, match="--max-drop -1: give 0 or more") as caught:
        Request(max_drop=-1, out=Path())
    assert caught.value.usage


def _cost(full: float, small: float) -> Cost:
    return Cost(
        format="onnx",
        size_bytes=(4_000_000, 1_000_000),
        sqnr_db=20.0,
        agreement=0.95,
        held_out=64,
        latency_ratio=0.5,
        remarks=({}, {}),
        accuracy=Accuracy(
            images=500,
            top1=(full, small),
            intervals=((full - 0.02, full + 0.02), (small - 0.02, small + 0.02)),
            agreement=0.9,
            mcnemar_p=0.012,
        ),
        data="digits",
    )


def _request(out: Path) -> Request:
    return Request(
        scale=0.25, input_size=(32, 32), formats=("onnx",), precisions=("fp32", "int8"), out=out
    )


@pytest.mark.parametrize(("small", "passes"), [(0.881, True), (0.879, False), (0.95, True)])
def test_int8_that_lost_answers_is_not_published(
    small: float, passes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compare(fp32: Artifact, int8: Artifact, data: str | None) -> Cost:
        assert (data, int8.manifest.options.precision) == ("digits", "int8")
        return _cost(0.9, small)

    monkeypatch.setattr(cost, "compare", compare)
    weighing = Weighing("digits", 2.0)
    if passes:
        pipeline.export(_request(tmp_path), lambda line: None, weighing)
        assert len(weighing.costs) == 1
    else:
        with pytest.raises(ExportError, match=r"2\.1 points were lost and 2 are allowed"):
            pipeline.export(_request(tmp_path), lambda line: None, weighing)
    names = {path.name.split("32x32-")[1] for path in tmp_path.iterdir()}
    int8 = {"int8.onnx", "int8.onnx.json"} if passes else set()
    assert names == {"fp32.onnx", "fp32.onnx.json"} | int8


def test_the_table_has_what_was_counted() -> None:
    table = costs_table([_cost(0.9, 0.88)])
    cells = {str(column.header): list(column.cells) for column in table.columns}
    assert cells["agreement"] == ["-", "95% of 64"]
    assert cells["top-1 digits"] == ["90.0%", "88.0%"]
    assert cells["95% interval"] == ["88.0% to 92.0%", "86.0% to 90.0%"]
    assert cells["McNemar p"] == ["-", "0.012"]


def test_without_data_there_is_no_column_of_answers() -> None:
    table = costs_table([replace(_cost(0.9, 0.88), accuracy=None, data=None)])
    assert len(table.columns) == 6
