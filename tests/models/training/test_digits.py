"""The trained network that is kept with the tests: what its README says, counted again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.training.data import open_data
from shufflenet_deploy.models.training.recipe import preprocessing, recipe
from shufflenet_deploy.models.weights.checkpoint import load
from shufflenet_deploy.runtime.images.datasets import open_dataset
from shufflenet_deploy.runtime.manifest import Preprocessing
from shufflenet_deploy.runtime.preprocess import fit, normalise

DATA = Path(__file__).parents[2] / "data"
CHECKPOINT = DATA / "digits-shufflenet-v1-g3-x0.25.pth"
RECOGNISED = 536


def test_it_recognises_as_many_held_out_digits_as_it_says() -> None:
    content = torch.load(CHECKPOINT, weights_only=True)
    network = ShuffleNetV1(3, 0.25, num_classes=10).eval()
    network.load_state_dict(content["state_dict"])
    used = Preprocessing(crop=tuple(content["input_size"]), **content["preprocessing"])
    digits = open_dataset("digits", "test")
    assert content["labels"] == digits.labels
    pixels = np.stack([fit(example.read(), used) for example in digits.examples])
    with torch.no_grad():
        logits = network(torch.from_numpy(normalise(pixels, used)).permute(0, 3, 1, 2))
    labels = torch.tensor([example.label for example in digits.examples])
    recognised = int((logits.argmax(1) == labels).sum())
    assert len(labels) == 540
    # Another processor rounds otherwise, which may turn one digit that is as like a 3 as an 8.
    assert abs(recognised - RECOGNISED) <= 1
    assert content["training"]["result"]["correct"] == RECOGNISED
    assert f"{RECOGNISED / 540:.2%} ({RECOGNISED} recognised)".replace("%", " %") in (
        DATA / "README.md"
    ).read_text(encoding="utf-8")


def test_the_project_reads_it_as_its_own() -> None:
    checkpoint = load(CHECKPOINT)
    assert (checkpoint.groups, checkpoint.scale, checkpoint.classes) == (3, 0.25, 10)
    assert checkpoint.labels == tuple("0123456789")
    assert checkpoint.input_size == (64, 64)
    assert checkpoint.preprocessing.mean == checkpoint.preprocessing.std == (127.5,) * 3
    assert CHECKPOINT.stat().st_size < 500_000


def test_its_recipe_is_what_the_command_has_for_digits() -> None:
    content = torch.load(CHECKPOINT, weights_only=True)
    now = recipe(data="digits", scale=0.25)
    saved = content["training"]["recipe"]
    assert {name: getattr(now, name) for name in saved} == saved
    assert content["labels"] == open_data("digits").labels
    assert content["preprocessing"]["crop_fraction"] == preprocessing(now).crop_fraction == 1.0
