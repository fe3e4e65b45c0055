"""Training that goes on from weights which were trained before."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from coloured_images import COLOURS, write_coloured_images
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.training import command as train_command
from shufflenet_deploy.models.training.files import Files
from shufflenet_deploy.models.training.loop import Training
from shufflenet_deploy.models.training.start import set_classifier
from shufflenet_deploy.models.weights import checkpoint
from shufflenet_deploy.runtime.manifest import Preprocessing

Captured = pytest.CaptureFixture[str]

LABELS = tuple(sorted(COLOURS))
AS_MEGVII = Preprocessing(
    channel_order="BGR", crop=(32, 32), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
)


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


def start(labels: tuple[str, ...] | None, classes: int) -> ShuffleNetV1:
    """Write start.pth, as a training would, and return the network in it."""
    torch.manual_seed(0)
    network = ShuffleNetV1(3, 0.25, num_classes=classes)
    checkpoint.save(
        Path("start.pth"),
        network,
        labels=labels,
        preprocessing=AS_MEGVII,
        input_size=(32, 32),
    )
    return network


SHORT = ("--weights", "start.pth", "--epochs", "2", "--batch-size", "8")


def test_other_classes_get_a_new_classifier_and_images_stay_as_they_were(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    before = start(("cat", "dog"), 2)
    words = ("--data", images, *SHORT, "--learning-rate", "1e-9", "--out", "tuned.pth")
    assert train(monkeypatch, *words) == 0
    said = capsys.readouterr().err
    assert "start.pth has 2 classes and the data 4 ones: the classifier is a new one" in said
    tuned = checkpoint.load(Path("tuned.pth"))
    assert (tuned.name, tuned.groups, tuned.scale) == ("shufflenet-v1", 3, 0.25)
    assert tuned.labels == LABELS
    assert tuned.preprocessing == AS_MEGVII
    assert tuned.network.output.out_features == 4
    for first, then in zip(
        before.features.parameters(), tuned.network.features.parameters(), strict=True
    ):
        torch.testing.assert_close(then.detach(), first.detach(), rtol=0, atol=1e-5)


def test_frozen_is_all_but_the_classifier_and_its_statistics_too(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = start(None, 4)
    words = ("--data", images, *SHORT, "--freeze", "--out", "tuned.pth")
    assert train(monkeypatch, *words) == 0
    content = torch.load("tuned.pth", weights_only=True)["state_dict"]
    for name, tensor in before.features.state_dict().items():
        assert (content[f"features.{name}"] == tensor).all(), name
    assert (content["output.weight"] != before.output.weight).any()


@pytest.mark.parametrize(
    ("labels", "classes", "kept", "words"),
    [
        (LABELS[::-1], 4, True, "has the same 4 classes: its classifier is kept"),
        (None, 4, True, "does not name its 4 classes: its classifier is kept"),
        (("a", "b", "c", "d"), 4, False, "the data 4 other ones: the classifier is a new one"),
        (None, 3, False, "has 3 classes and the data 4 ones: the classifier is a new one"),
    ],
)
def test_a_classifier_is_kept_for_the_same_classes(
    labels: tuple[str, ...] | None, classes: int, kept: bool, words: str
) -> None:
    before = start(labels, classes).output.weight.detach()
    loaded = checkpoint.load(Path("start.pth"))
    is_kept, line = set_classifier(loaded, LABELS, seed=0)
    assert (is_kept, words in line) == (kept, True)
    after = loaded.network.output
    assert isinstance(after, nn.Linear)
    assert after.out_features == 4
    if kept:
        order = [labels.index(label) for label in LABELS] if labels else range(4)
        assert (after.weight == before[list(order)]).all()
    else:
        again = checkpoint.load(Path("start.pth"))
        set_classifier(again, LABELS, seed=0)
        assert (again.network.output.weight == after.weight).all()  # seeded


def test_a_resumed_run_needs_the_first_weights_no_more(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    start(None, 4)
    words = ("--data", images, *SHORT)
    assert train(monkeypatch, *words, "--out", "whole.pth") == 0
    write = Files.write

    def interrupted(files: Files, training: Training) -> None:
        if len(training.history) > 1:
            raise KeyboardInterrupt
        write(files, training)

    with monkeypatch.context() as patched:
        patched.setattr(Files, "write", interrupted)
        assert train(patched, *words, "--out", "halves.pth") == 1
    Path("start.pth").unlink()
    assert train(monkeypatch, "--resume", "halves.last.pth") == 0
    whole, halves = (
        torch.load(name, weights_only=True)["state_dict"] for name in ("whole.pth", "halves.pth")
    )
    for name, tensor in whole.items():
        assert (tensor == halves[name]).all(), name
    assert checkpoint.load(Path("halves.pth")).preprocessing == AS_MEGVII


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("--weights", "none.pth"), 2, "none.pth"),
        (("--weights", "text.pth"), 1, "text.pth"),
        (("--weights", "start.pth", "--groups", "8"), 1, "groups 3 where groups 8"),
        (("--freeze",), 2, "--freeze keeps trained weights as they are: name some by --weights"),
        (("--resume", "a.last.pth", "--weights", "start.pth"), 2, "leave the option out"),
    ],
)
def test_what_is_wrong_takes_one_line(
    words: tuple[str, ...],
    code: int,
    line: str,
    images: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    start(None, 4)
    Path("text.pth").write_text("no weights")
    data = () if "--resume" in words else ("--data", str(images), "--out", "out.pth")
    assert train(monkeypatch, *data, *words) == code
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("error: ")
    assert line in last
    assert sorted(path.name for path in Path().iterdir()) == ["start.pth", "text.pth"]
