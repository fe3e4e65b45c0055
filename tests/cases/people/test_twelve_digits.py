"""A network of the digits with two classes more, which it never answers, and no labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import case_images as made
from cases import Bench, reached
from shufflenet_deploy.models.weights.checkpoint import load, save

DIGITS = Path(__file__).parents[2] / "data/digits-shufflenet-v1-g3-x0.25.pth"


def write_twelve(path: Path) -> None:
    """Save it; the two classes more are numbers too."""
    checkpoint = load(DIGITS)
    network, before = checkpoint.network, checkpoint.network.output
    after = torch.nn.Linear(before.in_features, 12)
    with torch.no_grad():
        after.weight.zero_()
        after.bias.fill_(-50.0)
        after.weight[:10], after.bias[:10] = before.weight, before.bias
    network.output = after
    save(
        path,
        network,
        labels=None,
        preprocessing=checkpoint.preprocessing,
        input_size=checkpoint.input_size,
    )


@pytest.mark.slow
def test_twelve_classes_named_by_their_number_are_told_apart(bench: Bench) -> None:
    write_twelve(bench.folder / "twelve.pth")
    data = bench.folder / "data"
    made.fill(data)
    for label in ("10", "11"):
        shutil.copytree(data / "8", data / label)
    small = ("--format", "onnx", "--out", "out")
    exported = bench.run("shufflenet-export", "--weights", "twelve.pth", *small)
    reached(exported.code == 0, exported.stderr)
    (artifact,) = (bench.folder / "out").glob("*.onnx")
    said = bench.run("shufflenet-eval", artifact, "--data", "data", "--json")
    reached(said.code == 0, said.stderr)
    (accuracy,) = json.loads(said.stdout)["artifacts"]
    assert accuracy["top1"]["share"] > 0.75  # 83.3%, where all of 10 and 11 are wrong
