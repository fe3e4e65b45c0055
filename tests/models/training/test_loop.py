"""The recipe, its augmentation and its batches, piece by piece."""

from __future__ import annotations

import io
import math
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console
from torch import nn

from coloured_images import HELD_OUT, write_coloured_images
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.training.augment import augmented, random_crop
from shufflenet_deploy.models.training.data import (
    EpochOrder,
    Share,
    held_out_batches,
    open_data,
    training_batches,
)
from shufflenet_deploy.models.training.events import Epoch, Step
from shufflenet_deploy.models.training.loop import parameter_groups
from shufflenet_deploy.models.training.progress import shown
from shufflenet_deploy.models.training.recipe import (
    Recipe,
    TrainingError,
    learning_rate,
    preprocessing,
    recipe,
    resumed,
)
from shufflenet_deploy.models.training.world import World, choose_device
from shufflenet_deploy.runtime.errors import ModelsError
from shufflenet_deploy.runtime.images.datasets import open_dataset
from shufflenet_deploy.runtime.preprocess import fit, normalise

sides = st.integers(1, 300)
shares = st.floats(0.05, 1.0)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coloured_images(tmp_path_factory.mktemp("images"))


def small(images: Path) -> Recipe:
    return recipe(data=str(images), scale=0.25, input_size=(32, 32), epochs=2, batch_size=8)


def test_imagenet_has_the_papers_recipe() -> None:
    paper = recipe(data="imagenet")
    assert (paper.batch_size, paper.learning_rate, paper.weight_decay) == (1024, 0.5, 4e-5)
    assert paper.epochs * 1_281_167 / paper.batch_size == pytest.approx(300_000, rel=0.001)
    assert paper.flip


def test_the_learning_rate_goes_with_the_batch_size_unless_it_is_given() -> None:
    assert recipe(data="photos", batch_size=256).learning_rate == 0.125
    assert recipe(data="photos", batch_size=256, learning_rate=0.3).learning_rate == 0.3


def test_digits_are_whole_not_mirrored_and_from_minus_1_to_1() -> None:
    digits = recipe(data="digits")
    assert not digits.flip
    chosen = preprocessing(digits)
    assert (chosen.crop, chosen.crop_fraction) == ((64, 64), 1.0)
    pixels = np.array([[[[0, 255, 0]]]], np.uint8)
    assert normalise(pixels, chosen).tolist() == [[[[-1.0, 1.0, -1.0]]]]


@given(st.floats(1e-6, 10), st.integers(1, 10_000))
def test_the_learning_rate_is_a_line_to_0(start: float, steps: int) -> None:
    assert learning_rate(start, 0, steps) == start
    assert learning_rate(start, steps, steps) == 0
    assert learning_rate(start, steps - 1, steps) == pytest.approx(start / steps, rel=1e-6)
    middle = learning_rate(start, steps // 2, steps)
    assert middle == pytest.approx(start - start * (steps // 2) / steps)


def test_weights_of_convolutions_and_of_the_classifier_decay_and_nothing_else() -> None:
    network = ShuffleNetV1(3, 0.25, num_classes=4)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    decayed, rest = (
        {names[id(parameter)] for parameter in group["params"]}
        for group in parameter_groups(network, 4e-5)
    )
    assert decayed | rest == {*names.values()}
    assert not decayed & rest
    assert "output.weight" in decayed
    assert "features.init_block.conv.weight" in decayed
    assert {name.rsplit(".", 2)[-2].rstrip("0123") for name in decayed} == {
        "conv",
        "compress_conv",
        "dw_conv",
        "expand_conv",
        "output",
    }
    assert "output.bias" in rest
    assert all("bn" in name or name == "output.bias" for name in rest)
    assert [group["weight_decay"] for group in parameter_groups(network, 4e-5)] == [4e-5, 0.0]


def test_norms_of_other_networks_do_not_decay_either() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    assert [len(group["params"]) for group in parameter_groups(network, 1.0)] == [1, 3]


@given(sides, sides, sides, sides, shares, seeds)
def test_a_crop_lies_in_the_image_and_shows_enough_of_it(
    height: int, width: int, out_height: int, out_width: int, smallest: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    left, top, right, bottom = random_crop(
        (height, width), (out_height, out_width), smallest, random
    )
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    ratio = out_width / out_height
    largest = min(width, height * ratio) * min(height, width / ratio)
    area = (right - left) * (bottom - top)
    assert smallest - 1e-6 <= area / largest <= 1 + 1e-6
    stretch = (right - left) / (bottom - top) / ratio
    assert 3 / 4 - 1e-6 <= stretch <= 4 / 3 + 1e-6


@given(sides, sides, st.integers(1, 64), st.integers(1, 64), st.booleans(), seeds)
def test_augmented_pixels_have_the_size_that_was_asked_for_and_the_seed_decides(
    height: int, width: int, out_height: int, out_width: int, flip: bool, seed: int
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(pixels)
    first, second = (
        augmented(
            image,
            (out_height, out_width),
            smallest=0.5,
            flip=flip,
            random=np.random.default_rng(seed),
        )
        for _ in range(2)
    )
    assert first.shape == (out_height, out_width, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)


def test_half_of_the_images_are_mirrored_where_that_is_asked_for() -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, 4:] = 255
    image = Image.fromarray(pixels)

    def mirrored(flip: bool) -> int:
        crops = (
            augmented(image, (8, 8), smallest=0.9, flip=flip, random=np.random.default_rng(seed))
            for seed in range(200)
        )
        return sum(bool(crop[0, 0, 0] > crop[0, 7, 0]) for crop in crops)

    assert mirrored(flip=False) == 0
    assert 70 < mirrored(flip=True) < 130


@given(st.integers(1, 200), st.integers(1, 8), st.integers(1, 4), seeds)
def test_processes_share_each_batch_without_overlap(
    count: int, per_process: int, processes: int, seed: int
) -> None:
    size = per_process * processes
    alone = EpochOrder(count, size, seed, Share())
    together = [EpochOrder(count, size, seed, Share(rank, processes)) for rank in range(processes)]
    batches = list(alone)
    assert len(batches) == len(alone) == count // size
    for batch, *shares_ in zip(batches, *together, strict=True):
        assert {len(share) for share in shares_} == {per_process}
        assert sorted(chain.from_iterable(shares_)) == sorted(batch)
    indices = [index for batch in batches for _, index in batch]
    assert len({*indices}) == len(indices)


def test_each_epoch_has_its_own_order_and_its_own_crops(images: Path) -> None:
    data = open_data(str(images))
    batches, order = training_batches(data, small(images), Share())
    first, again = next(iter(batches)), next(iter(batches))
    order.epoch = 1
    other = next(iter(batches))
    assert first.images.equal(again.images)
    assert first.images.shape == other.images.shape == (8, 3, 32, 32)
    assert not first.images.equal(other.images)


def test_held_out_batches_are_what_evaluation_and_the_device_make_of_the_images(
    images: Path,
) -> None:
    wanted = small(images)
    shares_ = [
        batch
        for rank in range(2)
        for batch in held_out_batches(open_data(str(images)), wanted, Share(rank, 2))
    ]
    assert [len(batch.labels) for batch in shares_] == [7, 6]
    examples = open_dataset(str(images), "test").examples
    assert len(examples) == HELD_OUT
    for number, example in enumerate(examples):
        share = shares_[number % 2]
        pixels = fit(example.read(), preprocessing(wanted))[None]
        expected = torch.from_numpy(normalise(pixels, preprocessing(wanted))[0])
        assert share.images[number // 2].permute(1, 2, 0).equal(expected)
        assert share.labels[number // 2] == example.label


def test_a_large_set_is_read_each_time(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = open_data(str(images))
    monkeypatch.setattr("shufflenet_deploy.models.training.data.HELD_BYTES", 32 * 40 * 3 * 10)
    read = open_data(str(images))
    assert held.in_memory
    assert not read.in_memory
    wanted = small(images)
    for a, b in zip(
        training_batches(held, wanted, Share())[0],
        training_batches(read, wanted, Share())[0],
        strict=True,
    ):
        assert a.images.equal(b.images)
        assert a.labels.equal(b.labels)


def test_the_held_out_digits_are_not_trained_on() -> None:
    data = open_data("digits")
    assert data.in_memory
    assert not data.same
    assert len(data.held_out) == 540
    assert not {example.name for example in data.training} & {
        example.name for example in data.held_out
    }


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "no data: --data FOLDER"),
        ({"data": "digits", "epochs": 0}, "--epochs 0: it is to be at least 1"),
        ({"data": "digits", "batch_size": 1}, "--batch-size 1: it is to be at least 2"),
        ({"data": "digits", "learning_rate": -0.1}, "--learning-rate -0.1"),
        ({"data": "digits", "learning_rate": math.nan}, "--learning-rate nan"),
        ({"data": "digits", "weight_decay": math.inf}, "--weight-decay inf"),
        ({"data": "digits", "label_smoothing": 1.0}, "--label-smoothing 1.0"),
        ({"data": "digits", "smallest_crop": 0.0}, "--smallest-crop 0.0"),
        ({"data": "digits", "seed": -1}, "--seed -1"),
        ({"data": "digits", "groups": 5}, "no groups 5"),
        ({"data": "digits", "scale": 3.0}, "no scale 3.0"),
        (
            {"data": "digits", "network": "alexnet"},
            "alexnet cannot be trained: choose from shufflenet-v1, shufflenet-v1-se",
        ),
        (
            {"data": "digits", "network": "shufflenet-v1-se", "groups": 5},
            "shufflenet-v1-se has no groups 5",
        ),
        ({"data": "digits", "input_size": (31, 64)}, "31x64 is too small"),
    ],
)
def test_a_recipe_that_cannot_be_followed(options: dict[str, object], line: str) -> None:
    with pytest.raises(ModelsError) as refused:  # of which TrainingError is one
        recipe(**options)
    assert line in str(refused.value)
    assert refused.value.usage


def test_a_resumed_run_keeps_its_recipe_and_its_data_may_have_moved() -> None:
    saved = recipe(data="digits", input_size=(32, 48), flip=True)
    assert resumed(saved, {"data": None, "epochs": None}) == saved
    assert resumed(saved, {"epochs": saved.epochs, "flip": True}) == saved
    assert resumed(saved, {"data": "/elsewhere"}).data == "/elsewhere"
    # A run of before there was a choice of network.
    former = {name: value for name, value in asdict(saved).items() if name != "network"}
    assert Recipe(**former) == saved
    for given_, line in (
        ({"epochs": 99}, "--epochs 99: the run to be resumed has 40"),
        ({"input_size": (32, 32)}, "--input-size 32x32: the run to be resumed has 32x48"),
        ({"flip": False}, "--flip False"),
    ):
        with pytest.raises(TrainingError, match=line):
            resumed(saved, given_)


def test_what_torchrun_says_of_this_process() -> None:
    environment = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    assert World.of(environment) == World(5, 8, 1, 4)
    assert World.of({"RANK": "5"}) == World()
    with pytest.raises(TrainingError, match="start several processes with torchrun"):
        World.of({"WORLD_SIZE": "2"})
    with pytest.raises(TrainingError, match="are not all numbers"):
        World.of({**environment, "RANK": "first"})


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(TrainingError, match="2 processes and 1 CUDA devices"):
        choose_device("cuda", World(1, 2, 1, 2))


def shown_on(terminal: bool) -> str:
    stream = io.StringIO()
    with shown(Console(file=stream, force_terminal=terminal, width=120), 3) as report:
        report(Step(epoch=1, epochs=3, step=7, steps=9, loss=1.5))
        report(
            Epoch(
                epoch=1,
                learning_rate=0.25,
                training_loss=1.25,
                held_out_loss=1.0,
                correct=3,
                held_out=8,
                images_per_s=100.0,
                time_s=2.0,
            )
        )
    return stream.getvalue()


def test_a_log_gets_a_line_for_each_epoch() -> None:
    assert shown_on(terminal=False) == (
        "epoch 1/3: training loss 1.250, top-1 37.50% of 8, learning rate 0.25, 100 images/s, "
        "2.0 s\n"
    )


def test_a_terminal_gets_a_bar_besides() -> None:
    text = shown_on(terminal=True)
    assert "epoch 1/3, loss 1.500" in text
    assert "7/9" in text
    assert "top-1 37.50% of 8" in text
