"""Folders as people have them: which files are images, and which folders are classes or splits.

What desktops, cameras, archives and storage servers leave beside photographs is neither; what a
file is, its content says; links are followed, and each folder is entered once.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.files.reading import irregular, opened
from shufflenet_deploy.runtime.preprocess import image_format

Split = Literal["train", "test"]

SPLITS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "test": ("val", "valid", "validation", "test", "testing"),
}
"""What people call them, in lower case; of several that hold images out the first is taken."""

_FILLERS = frozenset(
    (
        "data", "dataset", "folder", "ilsvrc", "image", "imagenet", "images", "img", "imgs", "set",
        "split",
    )
)  # fmt: skip
"""Words that may stand beside, as in ``ILSVRC2012_img_val``."""

SUFFIXES = frozenset(
    (
        ".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm", ".pgm", ".png",
        ".pnm", ".ppm", ".tif", ".tiff", ".webp",
    )
)  # fmt: skip
"""Files that are taken for images by their name; if they are none, whoever reads them says so."""

_SYSTEM = frozenset(
    (
        "$recycle.bin", "#recycle", "#snapshot", "@__thumb", "@eadir", "@recently-snapshot",
        "@recycle", "@sharebin", "@tmp", "__macosx", "desktop.ini", "ehthumbs.db",
        "ehthumbs_vista.db", "found.000", "icon\r", "lost+found", "lost.dir",
        "network trash folder", "picasa.ini", "recycler", "system volume information",
        "temporary items", "thumbs.db", "zbthumbnail.info",
    )
)  # fmt: skip
"""In lower case."""

_THUMBNAILS = (".ithmb", ".thm")
"""The endings of small pictures that cameras and players keep beside the large ones."""

MOST_TOO_MANY = 8
"""How many folders with nothing but a folder in them are passed; a link may lead round for ever."""

SYSTEM = "hidden or the system's"
NO_IMAGE = "no images"
CLOSED = "not to be read"
NOWHERE = "links to nothing"
IRREGULAR = "pipes, devices or sockets"


def is_system(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or no work of the user's."""
    lower = name.lower()
    return name.startswith(".") or lower in _SYSTEM or lower.endswith(_THUMBNAILS)


@dataclass
class Walk:
    """A way through folders that enters each once, whatever links lead to it."""

    left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> how many files and folders were passed over."""
    endings: set[str] = field(default_factory=set)
    """The suffixes of those that are no images."""
    _entered: set[tuple[int, int]] = field(default_factory=set)

    def shut(self, folder: Path) -> None:
        """Let no link lead to `folder`, or to one that it lies in."""
        real = folder.resolve()
        for each in (real, *real.parents):
            self._enter(each)

    def images(self, folder: Path) -> list[Path]:
        """The images in and below `folder`, sorted by their paths."""
        self._enter(folder)
        found, waiting = [], [folder]
        while waiting:
            for path, is_folder in self.entries(waiting.pop()):
                if not is_folder:
                    found.append(path)
                elif self._enter(path):
                    waiting.append(path)
        return sorted(found)

    def _enter(self, folder: Path) -> bool:
        """Whether `folder` was not entered before."""
        try:
            status = folder.stat()
        except OSError:
            return False
        identity = status.st_dev, status.st_ino
        is_new = identity not in self._entered
        self._entered.add(identity)
        return is_new

    def entries(self, folder: Path) -> Iterable[tuple[Path, bool]]:
        """Images and folders in `folder`, with whether each is a folder."""
        try:
            entries = list(os.scandir(folder))
        except OSError:
            self.left_out[CLOSED] += 1
            return
        for entry in entries:
            path = folder / entry.name
            if is_system(entry.name):
                self.left_out[SYSTEM] += 1
            elif entry.is_dir():
                yield path, True
            elif not entry.is_file():
                self.left_out[IRREGULAR if irregular(path) else NOWHERE] += 1
            elif _looks_like_image(path):
                yield path, False
            else:
                self.left_out[NO_IMAGE] += 1
                self.endings.add(path.suffix.lower() or "no suffix")

    def remarks(self) -> list[str]:
        """A line for what was left out, if anything was."""
        parts = []
        for reason, count in sorted(self.left_out.items()):
            endings = f" ({', '.join(sorted(self.endings)[:5])})" if reason == NO_IMAGE else ""
            parts.append(f"{count} {reason}{endings}")
        return [f"left out: {'; '.join(parts)}"] if parts else []


def class_folders(folder: Path) -> list[Path]:
    """The folders in `folder` that are the user's, in the order of their names.

    Names that are all numbers are in the order of numbers.
    """
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_dir() and not is_system(path.name)]
    if all(re.fullmatch("[0-9]+", path.name) for path in found):
        return sorted(found, key=lambda path: (int(path.name), path.name))
    return sorted(found)


def splits(folder: Path) -> dict[Split, Path]:
    """The folders in `folder` that are its splits and have folders in them.

    A class may be called train; but then there are images in it, and no folders.
    """
    found: dict[Split, Path] = {}
    for split in SPLITS:
        path = split_folder(folder, split)
        if path is not None:
            found[split] = path
    return found


def split_folder(folder: Path, split: Split, *, flat: bool = False) -> Path | None:
    """The folder of that split in `folder`; `flat` takes one that has no folders in it too."""
    named: dict[str, Path] = {}
    for path in class_folders(folder):
        name = _split_name(path.name)
        if name in SPLITS[split] and (flat or class_folders(path)):
            named.setdefault(name, path)
    return next((named[name] for name in SPLITS[split] if name in named), None)


def _split_name(name: str) -> str:
    """``ILSVRC2012_img_val`` -> ``val``: what is left without fillers, numbers and case."""
    words = re.findall("[a-z]+", name.lower())
    words = [word.removesuffix("set") or word for word in words]
    return " ".join(word for word in words if word not in _FILLERS)


def below_a_folder_too_many(folder: Path) -> Path:
    """Where the first of several folders are, which may be below some that hold one folder each.

    `folder` itself where images are met on the way: then that one is a class.
    """
    current = folder
    for _ in range(MOST_TOO_MANY):
        inner = class_folders(current)
        if not inner or loose_images(current):
            break
        if len(inner) > 1:
            return current
        current = inner[0]
    return folder


def loose_images(folder: Path) -> int:
    """How many images lie in `folder` itself."""
    return sum(not is_folder for _, is_folder in Walk().entries(folder)) if folder.is_dir() else 0


def require_class_folders(folder: Path) -> None:
    """Raise `InferenceError` (usage) where the images in `folder` are in no class's folder."""
    count = loose_images(folder)
    if count and not class_folders(folder):
        raise InferenceError(
            f"{folder} has {count} images in no class's folder: it needs a folder for each class, "
            "so move each image into its own",
            usage=True,
        )


def _looks_like_image(path: Path) -> bool:
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with opened(path) as file:
            return image_format(file.read(64)) is not None
    except OSError:
        return False
