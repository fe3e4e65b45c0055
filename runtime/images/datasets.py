"""Labelled images: a folder with a folder for each class, or scikit-learn's handwritten digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.images.folders import (
    Split,
    Walk,
    below_a_folder_too_many,
    class_folders,
    loose_images,
    require_class_folders,
    split_folder,
    splits,
)
from shufflenet_deploy.runtime.preprocess import read_image, require_pillow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

DIGITS = "digits"
HELD_OUT_DIGITS = 540
"""How many of scikit-learn's 1797 digits are held out: always the same, equally many of each."""


@dataclass(frozen=True)
class Example:
    """One image, not read yet, and its class."""

    name: str
    read: Callable[[], Image]
    """Reads the image; raises `InferenceError` for a file that cannot be read."""
    label: int


@dataclass(frozen=True)
class Dataset:
    """Examples in a fixed order, and the names of the classes."""

    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    remarks: tuple[str, ...] = ()
    """Lines on what was left out, and on how the folder was understood."""

    def limited(self, limit: int) -> Dataset:
        """The same classes with at most `limit` examples, at even distances among all.

        A folder's examples are sorted by class: the first would be of one class only.
        """
        count = len(self.examples)
        if limit >= count:
            return self
        chosen = tuple(self.examples[index * count // limit] for index in range(limit))
        return replace(self, examples=chosen)


def open_dataset(source: str, split: Split) -> Dataset:
    """``digits``, or a folder that holds a folder for each class.

    Where the folder has ``train`` and ``val`` (or ``test``, or another of `SPLITS`) in it, as
    ImageNet has, those are the splits; else all of it is either. Classes are numbered in the order
    of their names, or of their numbers. What in it is no image is left out, see `folders`.

    Raises `InferenceError` where there is nothing to read, or not what is needed to read it.
    """
    if source == DIGITS:
        return _digits(split)
    folder = Path(source)
    if not folder.is_dir():
        raise InferenceError(
            f"no data {source!r}: name a folder with a folder for each class, or {DIGITS!r}",
            usage=True,
        )
    require_pillow()
    return _folder(*_located(folder, split))


def image_files(folder: Path, walk: Walk | None = None) -> list[Path]:
    """All images in and below `folder`, sorted; `walk` can tell then what was left out."""
    walk = walk or Walk()
    walk.shut(folder)
    return walk.images(folder)


def _located(folder: Path, split: Split) -> tuple[Path, list[str]]:
    """Where the classes of `split` are, and lines on how the folder was understood."""
    inner = below_a_folder_too_many(folder)
    remarks = [] if inner == folder else [f"the classes are taken to be in {inner}"]
    divisions = splits(inner)
    if split in divisions:
        return divisions[split], remarks
    if not divisions:
        require_class_folders(inner)
        return inner, remarks
    flat = split_folder(inner, split, flat=True)
    if flat is not None:
        require_class_folders(flat)
    there = " and ".join(path.name for path in divisions.values())
    usual = {"train": "train", "test": "val or test"}[split]
    raise InferenceError(
        f"{inner} has {there}, but not {usual}: add it, or name the folder of the classes itself",
        usage=True,
    )


def _folder(folder: Path, remarks: list[str]) -> Dataset:
    classes = class_folders(folder)
    walk = Walk()
    walk.shut(folder)
    for path in classes:
        walk.shut(path)
    images = [walk.images(path) for path in classes]
    if not any(images):
        raise InferenceError(
            f"{folder} holds no images: it needs a folder for each class, with files such as "
            ".jpg or .png in them",
            usage=True,
        )
    if loose := loose_images(folder):
        remarks.append(f"left out: {loose} images in no class's folder")
    empty = [path.name for path, files in zip(classes, images, strict=True) if not files]
    if empty:
        remarks.append(f"without images: {', '.join(empty[:5])}{' ...' if empty[5:] else ''}")
    return Dataset(
        tuple(path.name for path in classes),
        tuple(
            Example(str(path.relative_to(folder)), partial(read_image, path), label)
            for label, files in enumerate(images)
            for path in files
        ),
        tuple(remarks + walk.remarks()),
    )


def _digits(split: Split) -> Dataset:
    require_pillow()
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise InferenceError(
            f"the digits need scikit-learn ({error}): pip install 'shufflenet-deploy[train]'"
        ) from None
    digits = load_digits()
    chosen = train_test_split(
        range(len(digits.target)),
        test_size=HELD_OUT_DIGITS,
        random_state=0,
        stratify=digits.target,
    )[0 if split == "train" else 1]
    # 8x8 pixels of 0 to 16.
    pixels = (digits.images * (255 / 16)).round().astype("uint8")
    return Dataset(
        tuple(str(name) for name in digits.target_names),
        tuple(
            Example(f"digit {index}", partial(_digit, pixels[index]), int(digits.target[index]))
            for index in sorted(chosen)
        ),
    )


def _digit(pixels: NDArray[np.uint8]) -> Image:
    from PIL import Image

    return Image.fromarray(pixels).convert("RGB")
