"""What a command line may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shufflenet_deploy.export.request import Request
from shufflenet_deploy.runtime.errors import ExportError, ModelsError


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
        ({"analyse": True}, "--analyse tells what layers cost in int8: add --precision int8"),
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
    with pytest.raises((ExportError, ModelsError), match=message) as caught:
        _request(**changes)
    assert caught.value.usage
