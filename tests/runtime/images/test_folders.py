"""What in a folder of photographs is an image, a class, a split, or none of these."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.images.datasets import image_files, open_dataset
from shufflenet_deploy.runtime.images.folders import (
    SPLITS,
    Split,
    Walk,
    class_folders,
    is_system,
    split_folder,
)
from shufflenet_deploy.runtime.preprocess import FORMATS, image_format, read_image


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path, format="PNG")


def labelled(folder: Path, split: Split = "test") -> dict[str, list[str]]:
    """Class -> the names of its images."""
    dataset = open_dataset(str(folder), split)
    found: dict[str, list[str]] = {label: [] for label in dataset.labels}
    for example in dataset.examples:
        found[dataset.labels[example.label]].append(example.name)
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_known_by_its_first_bytes_and_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "photograph"  # without a suffix
    images = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    several = {"save_all": True, "append_images": images[1:]} if name in ("MPO", "GIF") else {}
    images[0].save(path, format=name, **several)
    known = image_format(path.read_bytes()[:64])
    assert known == {"MPO": "JPEG"}.get(name, name)
    image = read_image(path)
    assert image.size == (8, 6)
    red, _, blue = np.asarray(image)[3, 4]
    assert red > 200 > 50 > blue  # the first of several


@given(st.binary(max_size=64))
def test_no_bytes_are_too_odd_to_be_looked_at(start: bytes) -> None:
    assert image_format(start) in (None, *FORMATS)


@pytest.mark.parametrize(
    "start", [b"", b"P", b"P6", b"PK\x03\x04", b"BM", b"BMW is a car", b"RIFF1234WAVE", b"%!PS"]
)
def test_what_only_begins_a_little_so_is_none(start: bytes) -> None:
    assert image_format(start) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an image but an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"<html><body>404", "a web page"),
        (b"PK\x03\x04\x14\x00", r"an archive \(zip\): unpack it first"),
        (b"\x1f\x8b\x08", r"an archive \(gzip\)"),
        (b"\0" * 257 + b"ustar\0", r"an archive \(tar\)"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "not an image that is read here"),
        (b"just words", "not an image that is read here"),
    ],
)
def test_what_is_no_image_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(InferenceError, match=words) as caught:
        read_image(tmp_path / "photo.jpg")
    assert "photo.jpg" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX", "lost+found", "LOST.DIR", "$RECYCLE.BIN", "System Volume Information", "@eaDir",
        "@__thumb", "#recycle", ".thumbnails", "._1.png", ".DS_Store", "Thumbs.db", "Desktop.ini",
        "IMG_0001.THM", "Picasa.ini", "Icon\r",
    ],
)  # fmt: skip
def test_what_systems_leave_is_nobodys_class_or_image(name: str, tmp_path: Path) -> None:
    assert is_system(name)
    fill(tmp_path, "cat/1.png", "dog/1.png", f"{name}/1.png", f"cat/deep/{name}/2.png")
    fill(tmp_path, f"dog/deep/{name}")
    assert labelled(tmp_path) == {"cat": ["cat/1.png"], "dog": ["dog/1.png"]}
    assert [path.name for path in image_files(tmp_path)] == ["1.png", "1.png"]


def test_what_is_left_out_is_counted_by_reason(tmp_path: Path) -> None:
    fill(tmp_path, "cat/1.png", "cat/.2.png", "dog/3")
    (tmp_path / "cat/notes.txt").write_text("no image")
    (tmp_path / "dog/model.xcf").write_bytes(b"gimp xcf v011")
    (tmp_path / "dog/raw").write_bytes(b"")
    (tmp_path / "dog/gone.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "dog/pipe.png")  # which would never end
    (tmp_path / "bird").mkdir()
    fill(tmp_path, "4.png")
    dataset = open_dataset(str(tmp_path), "test")
    assert [example.name for example in dataset.examples] == ["cat/1.png", "dog/3"]
    assert dataset.remarks == (
        "left out: 1 images in no class's folder",
        "without images: bird",
        "left out: 1 hidden or the system's; 1 links to nothing; 3 no images (.txt, .xcf, no "
        "suffix); 1 pipes, devices or sockets",
    )


def test_a_clean_folder_is_not_remarked_on(tmp_path: Path) -> None:
    fill(tmp_path, "cat/1.png", "dog/1.png")
    assert open_dataset(str(tmp_path), "test").remarks == ()


def test_a_folder_that_may_not_be_opened_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "cat/1.png", "cat/closed/2.png")
    scan = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    walk = Walk()
    assert walk.images(tmp_path) == [tmp_path / "cat/1.png"]
    assert walk.remarks() == ["left out: 1 not to be read"]


def test_links_are_followed_but_lead_nowhere_twice(tmp_path: Path) -> None:
    data, store = tmp_path / "data", tmp_path / "store"
    fill(store, "more/1.png", "more/deep/2.png")
    fill(data, "cat/0.png", "dog/0.png")
    (data / "cat/more").symlink_to(store / "more")
    (data / "cat/again").symlink_to(store / "more")
    (data / "cat/up").symlink_to(tmp_path)  # where the dogs are too
    (data / "cat/root").symlink_to(data)
    (data / "cat/dog").symlink_to(data / "dog")
    (data / "dog/loop").symlink_to(data / "dog")
    names = labelled(data)
    assert len(names["cat"]) == 3
    assert names["dog"] == ["dog/0.png"]
    assert len(image_files(data)) == 4


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"), ("Train", "train"), ("TRAINING", "train"), ("trainset", "train"),
        ("train_images", "train"), ("ILSVRC2012_img_train", "train"), ("train2017", "train"),
        ("Val", "test"), ("valid", "test"), ("Validation", "test"), ("Test Set", "test"),
        ("testing-data", "test"), ("ILSVRC2012_img_val", "test"),
    ],
)  # fmt: skip
def test_splits_are_known_in_any_spelling(name: str, split: Split, tmp_path: Path) -> None:
    fill(tmp_path, f"{name}/cat/1.png", "other/cat/2.png")
    assert split_folder(tmp_path, split) == tmp_path / name
    (other,) = set(SPLITS) - {split}
    assert split_folder(tmp_path, other) is None


@pytest.mark.parametrize("name", ["trains", "restraint", "contest", "valley", "untested", "images"])
def test_words_that_contain_a_split_are_none(name: str, tmp_path: Path) -> None:
    fill(tmp_path, f"{name}/cat/1.png")
    assert all(split_folder(tmp_path, split) is None for split in SPLITS)


def test_val_comes_before_test(tmp_path: Path) -> None:
    fill(tmp_path, "Test/cat/1.png", "VALIDATION/cat/2.png", "Train/cat/3.png")
    assert labelled(tmp_path) == {"cat": ["cat/2.png"]}
    assert labelled(tmp_path, "train") == {"cat": ["cat/3.png"]}


def test_a_folder_too_many_is_passed_and_told_of(tmp_path: Path) -> None:
    fill(tmp_path, "archive/images/train/cat/1.png", "archive/images/val/cat/2.png")
    dataset = open_dataset(str(tmp_path), "train")
    assert dataset.labels == ("cat",)
    assert dataset.remarks == (f"the classes are taken to be in {tmp_path / 'archive/images'}",)


def test_one_class_alone_is_no_folder_too_many(tmp_path: Path) -> None:
    fill(tmp_path, "dog/1.png", "dog/monday/2.png", "dog/tuesday/3.png")
    assert list(labelled(tmp_path)) == ["dog"]


def test_images_in_no_folder_are_told_of_with_what_would_do(tmp_path: Path) -> None:
    fill(tmp_path, "1.png", "2.png")
    with pytest.raises(InferenceError, match="has 2 images in no class's folder") as caught:
        open_dataset(str(tmp_path), "test")
    assert caught.value.usage


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30, unique=True))
def test_numbers_are_in_the_order_of_numbers(numbers: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            (Path(folder) / str(number)).mkdir()
        names = [int(path.name) for path in class_folders(Path(folder))]
    assert names == sorted(numbers)


def test_names_among_numbers_are_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("10", "2", "b"):
        (tmp_path / name).mkdir()
    assert [path.name for path in class_folders(tmp_path)] == ["10", "2", "b"]


_NAMES = st.sampled_from(
    ["a", "b", "1.png", "x.JPG", "notes.txt", ".hidden", "__MACOSX", "@eaDir", "val", "Thumbs.db"]
)


@given(st.sets(st.lists(_NAMES, min_size=1, max_size=4).map(tuple), max_size=12))
def test_any_nesting_gives_each_image_once_or_a_reason(paths: set[tuple[str, ...]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = set()
        for parts in sorted(paths, key=len, reverse=True):
            path = folder.joinpath(*parts)
            if path.exists():
                continue  # a folder that something lies in
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (2, 2)).save(path, format="PNG")
            made.add(path)
        wanted = {path for path in made if not any(map(is_system, path.relative_to(folder).parts))}
        assert image_files(folder) == sorted(wanted)  # PNG whatever they are called
        try:
            dataset = open_dataset(name, "test")
        except InferenceError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either will do
            return
        names = [example.name for example in dataset.examples]
        assert len(set(names)) == len(names) <= len(wanted)
        assert all(example.read().size == (2, 2) for example in dataset.examples)
