"""What int8 of trained weights may lose, and which causes are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shufflenet_deploy.export import cost, pipeline
from shufflenet_deploy.export.cost import Accuracy, Cost, Weighing
from shufflenet_deploy.export.gate import UNLIKE, Gate, Symptoms, unlike_training
from shufflenet_deploy.export.quantisation.analysis import LayerCost
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.tables import costs_table
from shufflenet_deploy.export.verify import Judgement
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.manifest import Calibration


def _judgement(percent: float, decibels: float = 20.0) -> Judgement:
    return Judgement(64, decibels, percent / 100)


def _layer(name: str, decibels: float, saturated: float = 0.0) -> LayerCost:
    return LayerCost(name, "3x3 depthwise", 40.0, decibels, saturated, (0.0, 6.0))


ENOUGH = Calibration(source="photos", samples=200, held_out=64, seed=0, unusable=0)
FEW = Calibration(source="photos", samples=30, held_out=10, seed=0, unusable=0)
WELL = Symptoms(1.1, (_layer("conv2d_5", 12.5), _layer("conv2d_7", 30.0)))


@pytest.mark.parametrize(
    ("percent", "decibels", "is_good"),
    [(90.0, 20.0, True), (89.0, 20.0, False), (95.0, 5.9, False), (100.0, 6.0, True)],
)
def test_what_keeps_most_is_good(percent: float, decibels: float, is_good: bool) -> None:
    assert Gate(60.0).is_good(_judgement(percent, decibels)) == is_good


def test_random_weights_have_nothing_to_lose() -> None:
    assert Gate(None).is_good(_judgement(10.0, 0.5))


@pytest.mark.parametrize(("percent", "decibels"), [(60.0, 6.0), (89.0, 20.0)])
def test_what_lost_some_is_warned_of(percent: float, decibels: float) -> None:
    said = Gate(60.0).require(_judgement(percent, decibels), ENOUGH, WELL)
    assert said.startswith(
        f"warning: int8 agrees with fp32 on {percent:.0f}% of 64 held-out images of photos, SQNR "
        f"{decibels:.1f} dB: "
    )


@pytest.mark.parametrize(("percent", "decibels"), [(59.0, 20.0), (95.0, 5.9), (10.0, -3.0)])
def test_what_lost_much_is_refused(percent: float, decibels: float) -> None:
    gate = Gate(60.0)
    with pytest.raises(ExportError, match="at least 60% and 6 dB are wanted: ") as caught:
        gate.require(_judgement(percent, decibels), ENOUGH, WELL)
    assert str(caught.value).endswith("or allow it with --min-agreement 0; nothing was written")
    assert Gate(0.0).require(_judgement(percent, decibels), ENOUGH, WELL).startswith("warning: ")


@pytest.mark.parametrize(
    ("calibration", "symptoms", "line"),
    [
        (FEW, WELL, "30 images are few to calibrate with; give 100 and more"),
        (
            ENOUGH,
            Symptoms(2.04, WELL.layers),
            "the images of photos are unlike those of the training: inside the network the "
            "variances differ from batch normalisation's by a factor of 2.0",
        ),
        (
            ENOUGH,
            Symptoms(1.1, (_layer("conv2d_5", 12.5), _layer("add_3", 30.0, 0.034))),
            "3.4% of add_3 are beyond the range that calibration gave it",
        ),
        (
            ENOUGH,
            WELL,
            "the output of conv2d_5 (3x3 depthwise) cost the most, 12.5 dB alone in 8 bits; "
            "--analyse shows all layers, and shufflenet-train --qat trains with 8 bits",
        ),
        (
            ENOUGH,
            Symptoms(None, (_layer("conv2d_5", 45.0),)),
            "the weights of conv2d_5 (3x3 depthwise) cost the most, 40.0 dB",
        ),
    ],
)
def test_each_cause_is_named_with_its_remedy(
    calibration: Calibration, symptoms: Symptoms, line: str
) -> None:
    said = Gate(60.0).require(_judgement(80.0), calibration, symptoms)
    assert line in said
    assert "\n" not in said


def test_causes_without_evidence_are_not_named() -> None:
    said = Gate(60.0).require(_judgement(80.0), ENOUGH, WELL)
    assert "few" not in said
    assert "unlike" not in said
    assert "beyond the range" not in said


def test_a_network_that_was_trained_with_8_bits_calibrates_with_none_and_not_with_few() -> None:
    judged = Calibration(source="photos", samples=0, held_out=64, seed=0, unusable=0)
    assert "few" not in Gate(60.0).require(_judgement(80.0), judged, WELL)


@pytest.mark.parametrize("spread", [None, 1.0, UNLIKE - 0.01])
def test_images_like_trainings_are_not_warned_of(spread: float | None) -> None:
    assert unlike_training("photos", spread) is None


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
