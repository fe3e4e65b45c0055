from __future__ import annotations

import hashlib
import pickle
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.images.datasets import (
    HELD_OUT_DIGITS,
    Dataset,
    Example,
    image_files,
    open_dataset,
)


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)


def names(dataset: Dataset) -> list[tuple[str, int]]:
    return [(example.name, example.label) for example in dataset.examples]


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    fill(tmp_path, "dog/1.jpg", "cat/deep/2.PNG", "cat/1.webp", "cat/.hidden.png", ".git/1.png")
    (tmp_path / "cat/notes.txt").write_text("no image by its name")
    (tmp_path / "loose.txt").write_text("in no class")
    (tmp_path / "empty").mkdir()
    dataset = open_dataset(str(tmp_path), "test")
    assert dataset.labels == ("cat", "dog", "empty")
    assert names(dataset) == [("cat/1.webp", 0), ("cat/deep/2.PNG", 0), ("dog/1.jpg", 1)]
    assert dataset.examples[0].read().size == (4, 4)
    assert names(open_dataset(str(tmp_path), "train")) == names(dataset)  # it is not divided


@pytest.mark.parametrize("held_out", ["val", "test"])
def test_the_splits_of_a_divided_folder(tmp_path: Path, held_out: str) -> None:
    fill(tmp_path, "train/cat/1.png", f"{held_out}/cat/2.png", f"{held_out}/dog/3.png")
    assert names(open_dataset(str(tmp_path), "train")) == [("cat/1.png", 0)]
    assert names(open_dataset(str(tmp_path), "test")) == [("cat/2.png", 0), ("dog/3.png", 1)]


def test_a_split_that_is_missing_is_not_replaced_by_another(tmp_path: Path) -> None:
    fill(tmp_path, "train/cat/1.png")
    with pytest.raises(InferenceError, match="has train, but not val or test") as caught:
        open_dataset(str(tmp_path), "test")
    assert caught.value.usage


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    fill(tmp_path, "train/1.png", "plane/1.png", "test/1.png")
    for split in ("train", "test"):
        assert open_dataset(str(tmp_path), split).labels == ("plane", "test", "train")


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match="no data 'nowhere': name a folder") as caught:
        open_dataset("nowhere", "test")
    assert caught.value.usage
    with pytest.raises(InferenceError, match="holds no images"):
        open_dataset(str(tmp_path), "test")
    fill(tmp_path, "1.png")  # in no class
    with pytest.raises(InferenceError, match="needs a folder for each class"):
        open_dataset(str(tmp_path), "test")


def test_image_files_of_any_layout(tmp_path: Path) -> None:
    fill(tmp_path, "b.jpg", "a/c.jpeg", "a/._c.jpeg.png")
    (tmp_path / "folder.png").mkdir()
    assert image_files(tmp_path) == [tmp_path / "a/c.jpeg", tmp_path / "b.jpg"]


def test_a_file_that_cannot_be_read_is_told_of_when_it_is(tmp_path: Path) -> None:
    fill(tmp_path, "cat/1.png")
    (tmp_path / "cat/1.png").write_bytes(b"broken")
    (example,) = open_dataset(str(tmp_path), "test").examples
    with pytest.raises(InferenceError, match="is not an image"):
        example.read()


def test_the_digits() -> None:
    train, test = (open_dataset("digits", split) for split in ("train", "test"))
    assert train.labels == test.labels == tuple("0123456789")
    assert (len(train.examples), len(test.examples)) == (1797 - HELD_OUT_DIGITS, HELD_OUT_DIGITS)
    train_names, test_names = ({one.name for one in split.examples} for split in (train, test))
    assert not train_names & test_names
    assert set(Counter(one.label for one in test.examples).values()) <= set(range(52, 57))
    # Networks are trained on the others: that these change must not go unnoticed.
    digest = hashlib.sha256(" ".join(one.name for one in test.examples).encode()).hexdigest()
    assert digest[:16] == "a67bbceceb0b8f37"
    pixels = np.asarray(test.examples[0].read())
    assert pixels.shape == (8, 8, 3)
    assert pixels.max() == 255
    assert (pixels == pixels[:, :, :1]).all()


def test_examples_go_to_other_processes(tmp_path: Path) -> None:
    fill(tmp_path, "cat/1.png")
    for source in ("digits", str(tmp_path)):
        example = open_dataset(source, "test").examples[0]
        assert pickle.loads(pickle.dumps(example)).read() == example.read()


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(1, 150))
def test_a_limit_is_spread_over_the_classes(sizes: list[int], limit: int) -> None:
    examples = [
        Example(f"{label}/{index}", lambda: Image.new("RGB", (1, 1)), label)
        for label, size in enumerate(sizes)
        for index in range(size)
    ]
    dataset = Dataset(tuple(map(str, range(len(sizes)))), tuple(examples))
    limited = dataset.limited(limit)
    assert limited.labels == dataset.labels
    assert len(limited.examples) == min(limit, len(examples))
    positions = [examples.index(one) for one in limited.examples]
    assert positions == sorted(set(positions))
    counts = Counter(one.label for one in limited.examples)
    for label, size in enumerate(sizes):
        assert abs(counts[label] - size * len(positions) / len(examples)) <= 1


@pytest.mark.parametrize(
    ("missing", "source", "remedy"),
    [("PIL", "digits", "images"), ("PIL", ".", "images"), ("sklearn", "digits", "train")],
)
def test_what_is_not_installed(
    missing: str, source: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [missing, *(name for name in sys.modules if name.startswith(f"{missing}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InferenceError, match=rf"pip install 'shufflenet-deploy\[{remedy}\]'"):
        open_dataset(source, "test")
