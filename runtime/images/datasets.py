"""Labelled images: a folder with a folder for each class, or scikit-learn's handwritten digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.preprocess import read_image, require_pillow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

Split = Literal["train", "test"]

DIGITS = "digits"
HELD_OUT_DIGITS = 540
"""How many of scikit-learn's 1797 digits are held out: always the same, equally many of each."""

_NAMES: dict[Split, tuple[str, ...]] = {"train": ("train",), "test": ("val", "test")}
_SPLITS = [name for names in _NAMES.values() for name in names]

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})


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

    def limited(self, limit: int) -> Dataset:
        """The same classes with at most `limit` examples, at even distances among all.

        A folder's examples are sorted by class: the first would be of one class only.
        """
        count = len(self.examples)
        if limit >= count:
            return self
        chosen = tuple(self.examples[index * count // limit] for index in range(limit))
        return Dataset(self.labels, chosen)


def open_dataset(source: str, split: Split) -> Dataset:
    """``digits``, or a folder that holds a folder for each class.

    Where the folder has ``train`` and ``val`` (or ``test``) in it, as ImageNet has, those are
    the splits; else all of it is either. Classes are numbered in the order of their names.
    What is hidden (its name begins with a dot) is left out.

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
    return _folder(_split_folder(folder, split))


def image_files(folder: Path) -> list[Path]:
    """All files below `folder` whose names end as images' do, sorted; hidden ones left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _split_folder(folder: Path, split: Split) -> Path:
    """Where the examples of `split` are: `folder` itself, unless it is divided."""
    # A class may be called train; but then there are images in it and not folders.
    divisions = {name: folder / name for name in _SPLITS if _class_folders(folder / name)}
    if not divisions:
        return folder
    for name in _NAMES[split]:
        if name in divisions:
            return divisions[name]
    raise InferenceError(
        f"{folder} has {' and '.join(divisions)}, but not {' or '.join(_NAMES[split])}: "
        "add it, or name the folder of the classes itself",
        usage=True,
    )


def _class_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    folders = (path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    return sorted(folders)


def _folder(folder: Path) -> Dataset:
    classes = _class_folders(folder)
    examples = tuple(
        Example(str(path.relative_to(folder)), partial(read_image, path), label)
        for label, class_folder in enumerate(classes)
        for path in image_files(class_folder)
    )
    if not examples:
        raise InferenceError(
            f"{folder} holds no images: it needs a folder for each class, with files such as "
            ".jpg or .png in them",
            usage=True,
        )
    return Dataset(tuple(path.name for path in classes), examples)


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
