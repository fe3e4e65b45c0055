"""Training with 8 bits: what it computes, what it writes, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from coloured_images import COLOURS, write_coloured_images
from rounded_networks import images as noise
from rounded_networks import rounded_network, write_rounded_network
from shufflenet_deploy.models.networks.activations import activations, rounded_activations
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.quantisation import STEPS, nearest, weight_steps
from shufflenet_deploy.models.training import command as train_command
from shufflenet_deploy.models.training.files import Files
from shufflenet_deploy.models.training.loop import Training
from shufflenet_deploy.models.training.qat import as_rounded, as_trained, round_weights
from shufflenet_deploy.models.weights import checkpoint
from shufflenet_deploy.models.weights.random import randomise
from shufflenet_deploy.runtime.errors import ModelsError
from shufflenet_deploy.runtime.manifest import Preprocessing

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coloured_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    words = [*map(str, arguments), "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["shufflenet-train", *words])
    with pytest.raises(SystemExit) as exited:
        train_command.main()
    assert isinstance(exited.value.code, int)
    return exited.value.code


def _float_network(*, squeeze_excitation: bool = False) -> ShuffleNetV1:
    network = ShuffleNetV1(3, 0.25, num_classes=4, squeeze_excitation=squeeze_excitation)
    randomise(network, noise(8, 0), 0)
    return network


def _start(*, squeeze_excitation: bool = False) -> None:
    """Write start.pth, a network of four classes without names."""
    checkpoint.save(
        Path("start.pth"),
        _float_network(squeeze_excitation=squeeze_excitation),
        labels=None,
        preprocessing=Preprocessing(crop=(32, 32)),
        input_size=(32, 32),
    )


SHORT = ("--weights", "start.pth", "--qat", "--batch-size", "8", "--learning-rate", "0.01")


@pytest.mark.parametrize("squeeze_excitation", [False, True])
def test_what_is_saved_computes_what_was_trained(squeeze_excitation: bool) -> None:
    network = _float_network(squeeze_excitation=squeeze_excitation).eval()
    exact = network(noise(4, 2))
    round_weights(network)
    network.eval()
    rounded = network(noise(4, 2))
    assert 0 < (rounded - exact).abs().max() < 0.5 * exact.std()  # 8 bits, and not something else
    ranges = dict.fromkeys(activations(network), (-1.0, 1.0))
    saved = as_rounded(network, ranges)
    plain = ShuffleNetV1(3, 0.25, num_classes=4, squeeze_excitation=squeeze_excitation)
    plain.load_state_dict(saved.state_dict())  # the keys are those of any ShuffleNet
    # But for the biases, which are on steps of their own there.
    torch.testing.assert_close(plain.eval()(noise(4, 2)), rounded, rtol=0, atol=0.01)


def test_what_is_saved_lies_on_the_steps_of_weights_and_of_sums() -> None:
    network, ranges = rounded_network()
    for path, before in (
        ("features.init_block", "images"),
        ("features.stage2.unit3", "features.stage2.unit2"),
    ):
        stem = path.endswith("init_block")
        layer = network.get_submodule(f"{path}.conv" if stem else f"{path}.compress_conv1")
        norm = network.get_submodule(f"{path}.bn" if stem else f"{path}.compress_bn1")
        weight, bias = layer.weight.detach().flatten(1), norm.bias.detach().double()  # type: ignore[operator]
        torch.testing.assert_close(nearest(weight), weight)
        low, high = ranges[before]
        sums = bias / (weight_steps(weight).double() * (high - low) / STEPS)
        torch.testing.assert_close(sums, sums.round(), rtol=0, atol=0.01)


def test_going_on_from_what_was_saved_changes_no_bit() -> None:
    network = _float_network()
    round_weights(network)
    again = ShuffleNetV1(3, 0.25, num_classes=4)
    again.load_state_dict(as_trained(network).state_dict())
    round_weights(again)
    for tensor, copy in zip(
        network.state_dict().values(), again.state_dict().values(), strict=True
    ):
        assert tensor.equal(copy)
    network.eval()
    again.eval()
    assert network(noise(2, 1)).equal(again(noise(2, 1)))


def test_gradients_go_through_the_steps() -> None:
    network = _float_network()
    round_weights(network)
    ranges = dict.fromkeys(activations(network), (-50.0, 50.0))
    with rounded_activations(network, ranges):
        network(noise(2, 1)).square().sum().backward()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert len(trained) == 100  # weights and biases of 50 layers
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in trained)


@pytest.mark.parametrize("squeeze_excitation", [False, True])
def test_a_run_writes_ranges_and_rounded_weights(
    squeeze_excitation: bool, images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    _start(squeeze_excitation=squeeze_excitation)
    words = ("--data", images, *SHORT, "--epochs", "1", "--out", "qat.pth")
    assert train(monkeypatch, *words) == 0
    assert "measuring the ranges of activations" in capsys.readouterr().err
    loaded = checkpoint.load(Path("qat.pth"))
    assert loaded.ranges is not None
    assert sorted(loaded.ranges) == sorted(activations(loaded.network))
    assert all(low <= 0 <= high for low, high in loaded.ranges.values())
    # The images' range is that of all pixels, and not of those that were seen.
    low, high = loaded.ranges["images"]
    assert (low, high) == pytest.approx((-123.675 / 58.395, (255 - 103.53) / 57.375), rel=1e-4)
    weight = loaded.network.features.init_block.conv.weight.detach().flatten(1)  # type: ignore[union-attr,operator]
    torch.testing.assert_close(nearest(weight), weight)


def test_a_resumed_run_ends_where_one_in_one_go_does(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _start()
    words = ("--data", images, *SHORT, "--epochs", "3")
    assert train(monkeypatch, *words, "--out", "whole.pth") == 0
    write = Files.write

    def interrupted(files: Files, training: Training) -> None:
        if len(training.history) > 1:
            raise KeyboardInterrupt
        write(files, training)

    with monkeypatch.context() as patched:
        patched.setattr(Files, "write", interrupted)
        assert train(patched, *words, "--out", "halves.pth") == 1
    assert train(monkeypatch, "--resume", "halves.last.pth") == 0
    for name in ("", ".last"):
        whole, halves = (checkpoint.load(Path(f"{run}{name}.pth")) for run in ("whole", "halves"))
        assert whole.ranges == halves.ranges
        for key, tensor in whole.network.state_dict().items():
            assert tensor.equal(halves.network.state_dict()[key]), key


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--qat",), "--qat goes on with a trained network: train it first without"),
        (("--qat", "--weights", "start.pth", "--freeze"), "--freeze the classifier alone"),
        (("--qat", "--weights", "start.pth", "--amp"), "--amp rounds what --qat rounds already"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(
    words: tuple[str, ...],
    line: str,
    images: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    _start()
    assert train(monkeypatch, "--data", images, *words, "--out", "qat.pth") == 2
    assert line in capsys.readouterr().err
    assert not Path("qat.pth").exists()


def test_a_new_classifier_is_trained_in_float_first(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    write_rounded_network(Path("start.pth"))  # of ten classes
    assert train(monkeypatch, "--data", images, *SHORT, "--out", "qat.pth") == 2
    said = capsys.readouterr().err
    assert "the classifier is a new one: train that first without --qat" in said


def test_a_network_with_8_bits_is_trained_on_with_them_alone(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    _start()
    words = ("--data", images, "--epochs", "1")
    assert train(monkeypatch, *words, *SHORT, "--out", "qat.pth") == 0
    on = ("--weights", "qat.pth", "--batch-size", "8", "--learning-rate", "0.001")
    assert train(monkeypatch, *words, *on, "--out", "on.pth") == 2
    assert "qat.pth was trained with 8 bits" in capsys.readouterr().err
    assert train(monkeypatch, *words, *on, "--qat", "--out", "on.pth") == 0


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"output": None}, "they differ in 'output'"),
        ({"surplus": (0.0, 1.0)}, "they differ in 'surplus'"),
        ({"output": (0.5, 1.0)}, "the range of output is from 0.5 to 1, and should be around 0"),
        ({"output": (0.0, 0.0)}, "the range of output is from 0 to 0"),
        ({"output": (0.0, float("inf"))}, "the range of output is from 0 to inf"),
        ({"output": (float("nan"), 1.0)}, "the range of output is from nan to 1"),
        ({"output": "wide"}, "what it says of its weights is wrong"),
    ],
)
def test_ranges_that_cannot_be_are_refused(change: dict[str, object], line: str) -> None:
    write_rounded_network(Path("qat.pth"))
    content = torch.load("qat.pth", weights_only=True)
    ranges = {**content["ranges"], **change}
    content["ranges"] = {name: ends for name, ends in ranges.items() if ends is not None}
    torch.save(content, "qat.pth")
    with pytest.raises(ModelsError, match=r"^qat\.pth: ") as caught:
        checkpoint.load(Path("qat.pth"))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_safetensors_keep_ranges_too() -> None:
    network, ranges = rounded_network()
    checkpoint.save(
        Path("qat.safetensors"),
        network,
        labels=None,
        preprocessing=Preprocessing(crop=(64, 64)),
        input_size=(64, 64),
        ranges=ranges,
    )
    assert checkpoint.load(Path("qat.safetensors")).ranges == ranges


def test_no_step_is_large(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the gradients: without batch normalisation's hold a network is ruined else."""
    network = _float_network()
    with torch.no_grad():
        network.output.weight.mul_(1e3)  # as sure of itself as wrong
    checkpoint.save(
        Path("start.pth"),
        network,
        labels=None,
        preprocessing=Preprocessing(crop=(32, 32)),
        input_size=(32, 32),
    )
    words = ("--data", images, *SHORT, "--epochs", "1", "--out", "qat.pth")
    assert train(monkeypatch, *words) == 0
    run = torch.load("qat.last.pth", weights_only=True)
    moved = [
        (tensor - network.state_dict()[name]).norm()
        for name, tensor in run["state_dict"].items()
        if name.endswith(("conv1.weight", "conv2.weight", "conv3.weight", "output.weight"))
    ]
    steps = len(COLOURS) * 8 // 8  # eight photographs of each colour, in batches of eight
    # Each moves them by at most the rate, and by ten times that in all as momentum 0.9 carries on.
    assert torch.stack(moved).norm() <= 0.01 * 10 * steps
