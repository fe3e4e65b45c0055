"""What a command line may ask for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.export.request import Request, parse_size
from shufflenet_deploy.runtime.errors import ExportError


def _request(**changes: Any) -> Request:
    return Request(**{"out": Path("artifacts"), **changes})


def _names(made: Request, weights: str = "random") -> list[str]:
    return [options.file_name for options in made.artifacts(made.variant(), weights)]


def test_the_readmes_command_names_its_artifact() -> None:
    made = _request(groups=3, formats=("tflite",))
    assert _names(made) == ["shufflenet-v1-g3-x1.0-224x224-fp32.tflite"]


def test_defaults_are_those_of_the_network() -> None:
    assert _names(_request(network="alexnet")) == [
        "alexnet-224x224-fp32.onnx",
        "alexnet-224x224-fp32.tflite",
    ]


def test_squeeze_and_excitation_enters_the_name() -> None:
    made = _request(network="shufflenet-v1-se", groups=3, scale=2.0, formats=("tflite",))
    assert _names(made) == ["shufflenet-v1-se-g3-x2.0-224x224-fp32.tflite"]


def test_what_is_not_the_default_enters_the_name() -> None:
    made = _request(
        formats=("onnx",),
        precisions=("fp32", "int8"),
        target="x86-64",
        io="uint8",
        lowering="plain",
    )
    assert _names(made, "0123abcd") == [
        "shufflenet-v1-g3-x1.0-224x224-fp32-plain-uint8in-0123abcd.onnx",
        "shufflenet-v1-g3-x1.0-224x224-int8-plain-x86-64-uint8in-0123abcd.onnx",
    ]


def test_what_is_given_twice_is_made_once() -> None:
    assert len(_names(_request(formats=("onnx", "onnx"), precisions=("fp32", "fp32")))) == 1


def test_the_weights_file_decides_what_was_not_asked_for() -> None:
    chosen = _request().variant(groups=8, scale=0.5, size=(64, 64))
    assert (chosen.groups, chosen.scale, chosen.input_size) == (8, 0.5, (64, 64))
    assert _request().variant("shufflenet-v1-se").network == "shufflenet-v1-se"
    assert _request(input_size=(96, 96)).variant(size=(64, 64)).input_size == (96, 96)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "resnet"}, "unknown network 'resnet': choose from shufflenet-v1"),
        ({"groups": 5}, "shufflenet-v1 has no groups 5"),
        ({"scale": 0.3}, r"shufflenet-v1 has no scale 0\.3"),
        ({"formats": ("ncnn",)}, "unknown format 'ncnn': choose from onnx, tflite"),
        ({"precisions": ("int4",)}, "unknown precision 'int4'"),
        ({"lowering": "magic"}, "unknown lowering 'magic'"),
        ({"target": "riscv"}, "unknown target 'riscv'"),
        ({"io": "int16"}, "unknown io 'int16'"),
        ({"samples": 0}, "0 samples"),
        ({"weights": "nowhere.pth"}, "no weights 'nowhere.pth'"),
        (
            {"weights": "imagenet", "network": "shufflenet-v1-se"},
            "--weights imagenet is for shufflenet-v1; of shufflenet-v1-se there are none",
        ),
        (
            {"weights": "some.pth", "network": "alexnet"},
            "--weights some.pth is for shufflenet-v1 and shufflenet-v1-se; of alexnet there are",
        ),
        ({"weights": "some.pth", "network": "resnet"}, "unknown network 'resnet'"),
        ({"weights": "imagenet", "precisions": ("int8",)}, "needs --calibration FOLDER"),
        ({"input_size": (31, 31)}, "input size 31x31 is too small for shufflenet-v1"),
        ({"input_size": (224, 20)}, "input size 224x20 is too small"),
        ({"network": "alexnet", "groups": 3}, "alexnet has no choice of groups"),
    ],
)
def test_what_does_not_exist_is_wrong_usage(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ExportError, match=message) as caught:
        _request(**changes)
    assert caught.value.usage


@given(height=st.integers(0, 99999), width=st.integers(0, 99999))
def test_sizes_are_height_times_width(height: int, width: int) -> None:
    assert parse_size(f"{height}x{width}") == (height, width)
    assert parse_size(str(height)) == (height, height)


@given(st.text(max_size=12).filter(lambda text: not re.fullmatch(r"[0-9]+(x[0-9]+)?", text)))
def test_any_other_text_is_refused_by_value(text: str) -> None:
    with pytest.raises(ExportError) as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)
    assert caught.value.usage


@pytest.mark.parametrize("text", ["", "x", "224x", "x224", "224X224", "-1", "224x2x3", "٣٢", "1e3"])
def test_near_misses_are_refused(text: str) -> None:
    with pytest.raises(ExportError, match="is not a number of pixels"):
        parse_size(text)
