"""Folders of images as people have them: the right classes and counts, or what would do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import case_images as made
from case_images import DIGITS, NOT_UTF8, Situation
from cases import Bench, Said, reached
from linear_artifacts import write_linear
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.images.datasets import Dataset, image_files, open_dataset
from shufflenet_deploy.runtime.images.folders import Split
from shufflenet_deploy.runtime.manifest import Preprocessing

SIDE = 8
PREPROCESSING = Preprocessing(
    crop=(SIDE, SIDE), crop_fraction=1.0, mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0)
)


def opened(folder: Path, split: Split = "test") -> Dataset:
    """The data set in `folder`; a refusal is wrong."""
    try:
        return open_dataset(str(folder), split)
    except InferenceError as error:
        raise AssertionError(f"refused: {error}") from None


def readable(dataset: Dataset) -> int:
    count = 0
    for example in dataset.examples:
        try:
            example.read()
        except InferenceError:
            continue
        count += 1
    return count


@pytest.mark.parametrize(
    "situation",
    [pytest.param(situation, id=situation.name) for situation in made.SITUATIONS],
)
def test_classes_and_images_are_those_that_people_see(situation: Situation, tmp_path: Path) -> None:
    folder = tmp_path / situation.name
    situation.make(folder)
    reached(situation.trace is None or (folder / situation.trace).exists(), "it is not there")
    dataset = opened(folder, situation.split)
    assert dataset.labels == situation.labels
    assert readable(dataset) == situation.images
    names = [example.name for example in dataset.examples]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "make",
    [
        made.linked_all,
        made.linked_deep,
        made.looped,
    ],
    ids=["linked", "linkdeep", "loop"],
)
def test_calibration_follows_links_and_takes_each_folder_once(make: object, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / "photos")
    reached(any(path.is_symlink() for path in (tmp_path / "photos").rglob("*")), "no link")
    assert len(image_files(tmp_path / "photos")) == made.WHOLE


def refused(folder: Path) -> str:
    with pytest.raises(InferenceError) as caught:
        open_dataset(str(folder), "test")
    message = str(caught.value)
    reached(str(folder) in message, f"refused for another reason: {message}")
    return message


def test_images_in_no_class_folder_are_told_of(tmp_path: Path) -> None:
    made.flat(tmp_path / "flat")
    reached(len(list((tmp_path / "flat").glob("*.png"))) == made.WHOLE, "no images")
    message = refused(tmp_path / "flat")
    assert "holds no images" not in message
    assert "folder for each class" in message


def test_a_val_whose_images_are_in_no_class_folder_is_told_of(tmp_path: Path) -> None:
    made.flat_split(tmp_path / "data")
    reached(len(list((tmp_path / "data/val").glob("*.png"))) == made.WHOLE, "no images")
    message = refused(tmp_path / "data")
    assert "not val" not in message
    assert str(tmp_path / "data/val") in message


def test_one_folder_too_many_is_passed_over_or_named(tmp_path: Path) -> None:
    made.divided("images")(tmp_path / "images")
    reached((tmp_path / "images/images/0").is_dir(), "no folder too many")
    try:
        dataset = open_dataset(str(tmp_path / "images"), "test")
    except InferenceError as error:
        assert str(tmp_path / "images/images") in str(error)  # noqa: PT017 - either will do
    else:
        assert dataset.labels == DIGITS


def write_levels(bench: Bench, classes: int, called: str = "") -> Path:
    """An artifact that knows `classes` levels of gray without labels, and a folder of them.

    logit_k = 2 m_k x - m_k^2 is greatest for the level m_k that is nearest to the mean x.
    """
    effects = np.linspace(0, 255, classes).round()
    for label, level in enumerate(effects):
        (bench.folder / f"data/{called}{label}").mkdir(parents=True)
        image = Image.fromarray(np.full((SIDE, SIDE, 3), level, np.uint8))
        image.save(bench.folder / f"data/{called}{label}/0.png")
    pixels = SIDE * SIDE * 3
    weights = np.repeat(2 * effects[:, None] / 255 / pixels, pixels, axis=1)
    write_linear(bench.folder / "levels.onnx", weights, -np.square(effects / 255), PREPROCESSING)
    return bench.folder / "levels.onnx"


def evaluated(bench: Bench, *options: str) -> Said:
    said = bench.run("shufflenet-eval", "levels.onnx", "--data", "data", *options)
    reached("evaluated" in said.stderr, f"nothing was evaluated: {said.stderr}")
    return said


def remarks(said: Said) -> list[str]:
    """All lines of stderr but progress."""
    return [line for line in said.stderr.splitlines() if not line.startswith("evaluated")]


@pytest.mark.parametrize(
    "classes",
    [10, 12],
)
def test_folders_that_are_numbers_are_in_the_order_of_numbers(classes: int, bench: Bench) -> None:
    write_levels(bench, classes)
    said = evaluated(bench, "--json")
    said.require_success()
    (accuracy,) = json.loads(said.stdout)["artifacts"]
    assert accuracy["top1"]["images"] == classes


def test_a_class_that_ends_up_empty_is_named(bench: Bench) -> None:
    write_levels(bench, 10, called="level")
    (bench.folder / "data/level7/0.png").unlink()
    said = evaluated(bench)
    assert any("level7" in line for line in remarks(said)), said.stderr


def test_files_that_are_no_images_are_counted(bench: Bench) -> None:
    write_levels(bench, 10)
    for number in range(3):
        (bench.folder / f"data/7/{number}.xcf").write_bytes(b"gimp xcf v011")
    said = evaluated(bench)
    said.require_success()
    assert any(re.search(r"\b3\b", line) for line in remarks(said)), said.stderr


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["table", "json"])
@pytest.mark.parametrize(
    "broken",
    [
        False,
        True,
    ],
    ids=["whole", "broken"],
)
def test_images_whose_names_are_no_utf8_are_evaluated(
    broken: bool, options: tuple[str, ...], bench: Bench
) -> None:
    write_levels(bench, 10)
    path = bench.folder / f"data/7/{NOT_UTF8}.png"
    (bench.folder / "data/7/0.png").rename(path)
    if broken:
        path.write_bytes(b"broken")
    evaluated(bench, *options).require_success()


def test_a_class_whose_name_is_no_utf8_is_evaluated(bench: Bench) -> None:
    write_levels(bench, 10)
    (bench.folder / "data/9").rename(bench.folder / "data" / NOT_UTF8)
    evaluated(bench, "--json").require_success()


@pytest.mark.parametrize("classes", [1, 2])
def test_one_class_is_a_probability_or_refused(classes: int, bench: Bench) -> None:
    bias = np.array([-2.0, 0.0])[:classes]  # both ways the first class has 12%
    weights = np.zeros((classes, SIDE * SIDE * 3))
    write_linear(bench.folder / "one.onnx", weights, bias, PREPROCESSING)
    Image.new("RGB", (SIDE, SIDE)).save(bench.folder / "photo.png")
    said = bench.run("shufflenet-classify", "one.onnx", "photo.png", "--json")
    if said.code:
        reached("one.onnx" in said.stderr, said.stderr)
        said.require_one_line()
        return
    (image,) = json.loads(said.stdout)["images"]
    probabilities = [guess["probability"] for guess in image["guesses"]]
    assert min(probabilities) == pytest.approx(1 / (1 + np.exp(2.0)), abs=1e-3)
