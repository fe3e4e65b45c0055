"""Folders of images in the states in which people's folders are: digits, ten classes of twelve."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

CLASSES, EACH = 10, 12
DIGITS = tuple(map(str, range(CLASSES)))
NOT_UTF8 = b"caf\xe9".decode(errors="surrogateescape")
_RESOURCE_FORK = b"\0\5\x16\7" + b"\0" * 78


@dataclass(frozen=True)
class Situation:
    """A folder, and what should be read from it."""

    name: str
    make: Callable[[Path], None]
    """Fills a folder that is not there yet."""
    images: int
    """That can be read."""
    trace: str | None = None
    """A path in the folder that shows the situation to be there."""
    split: Literal["train", "test"] = "test"
    labels: tuple[str, ...] = DIGITS


def fill(folder: Path, each: int = EACH, suffix: str = ".png") -> None:
    """Write the last `each` of scikit-learn's digits of every class."""
    digits = load_digits()
    pixels = (digits.images * (255 / 16)).round().astype("uint8")
    for label in range(CLASSES):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        for number, index in enumerate(np.flatnonzero(digits.target == label)[-each:]):
            image = Image.fromarray(pixels[index]).convert("RGB")
            image.save(folder / str(label) / f"{number}{suffix}")


def with_files(files: Mapping[str, bytes]) -> Callable[[Path], None]:
    """All that belongs there, and `files` besides; a name that ends with a slash is a folder."""

    def make(folder: Path) -> None:
        fill(folder)
        for name, content in files.items():
            path = folder / name
            if name.endswith("/"):
                path.mkdir(parents=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    return make


def with_suffix(suffix: str, made_as: str = ".png") -> Callable[[Path], None]:
    """Class 3 has another suffix than the rest."""

    def make(folder: Path) -> None:
        fill(folder, suffix=made_as)
        for path in list((folder / "3").iterdir()):
            path.rename(path.with_suffix(suffix))

    return make


def all_gif(folder: Path) -> None:
    """Every image is a GIF."""
    fill(folder, suffix=".gif")


def with_thumbnails(place: str) -> Callable[[Path], None]:
    """A folder of thumbnails inside a class's, as a storage server keeps them."""

    def make(folder: Path) -> None:
        fill(folder)
        (folder / place).mkdir(parents=True)
        shutil.copy(folder / "3/0.png", folder / place / "SYNOPHOTO_THUMB_M.png")

    return make


def real_beside(folder: Path) -> Path:
    """Where the images are that links in `folder` lead to."""
    real = folder.with_name(f"{folder.name}-real")
    fill(real)
    folder.mkdir()
    return real


def linked_all(folder: Path) -> None:
    """One link to all classes."""
    (folder / "all").symlink_to(real_beside(folder))


def linked_classes(folder: Path) -> None:
    """Each class is a link."""
    real = real_beside(folder)
    for label in DIGITS:
        (folder / label).symlink_to(real / label)


def linked_deep(folder: Path) -> None:
    """A link in each class's folder."""
    real = real_beside(folder)
    for label in DIGITS:
        (folder / label).mkdir()
        (folder / label / "batch1").symlink_to(real / label)


def looped(folder: Path) -> None:
    """A link to a folder that it lies in."""
    fill(folder)
    (folder / "0/again").symlink_to(folder.resolve())


def twice(folder: Path) -> None:
    """A class that has two links to one folder."""
    real = real_beside(folder)
    for label in DIGITS:
        (folder / label).mkdir()
        for name in ("one", "two"):
            (folder / label / name).symlink_to(real / label)


def dangling(folder: Path) -> None:
    """A link to nothing."""
    fill(folder)
    (folder / "0/gone.png").symlink_to(folder / "nowhere.png")


def latin1(folder: Path) -> None:
    """An image whose name is no UTF-8."""
    fill(folder, each=2)
    shutil.copy(folder / "0/0.png", folder / f"0/{NOT_UTF8}.png")


def broken_latin1(folder: Path) -> None:
    """A broken image whose name is no UTF-8."""
    fill(folder, each=2)
    (folder / f"0/{NOT_UTF8}.png").write_bytes(b"broken")


def class_latin1(folder: Path) -> None:
    """A class whose name is no UTF-8."""
    fill(folder, each=2)
    (folder / "9").rename(folder / NOT_UTF8)


def divided(*names: str) -> Callable[[Path], None]:
    """Splits of these names."""

    def make(folder: Path) -> None:
        for name in names:
            fill(folder / name, each=3)

    return make


def flat(folder: Path) -> None:
    """ImageNet's validation archive as it unpacks: images in no class's folder."""
    fill(folder / "classes")
    for label in DIGITS:
        for number, path in enumerate(sorted((folder / "classes" / label).iterdir())):
            path.rename(folder / f"val_{label}{number:03}.png")
    shutil.rmtree(folder / "classes")


def flat_split(folder: Path) -> None:
    """The same beside a train with classes."""
    folder.mkdir()
    flat(folder / "val")
    fill(folder / "train")


def mac_split(folder: Path) -> None:
    """A train in which a zip of a Mac left its folder."""
    MACOSX(folder / "train")
    fill(folder / "val")


MACOSX = with_files({"__MACOSX/0/._0.png": _RESOURCE_FORK})
WHOLE = CLASSES * EACH

SITUATIONS = (
    Situation("plain", fill, WHOLE),
    Situation("macosx", MACOSX, WHOLE, "__MACOSX/0/._0.png"),
    Situation("macsplit", mac_split, WHOLE, "train/__MACOSX", split="train"),
    Situation("macsplit-val", mac_split, WHOLE, "train/__MACOSX"),
    Situation("lostfound", with_files({"lost+found/": b""}), WHOLE, "lost+found"),
    Situation(
        "recycle",
        with_files({"$RECYCLE.BIN/": b"", "System Volume Information/": b""}),
        WHOLE,
        "$RECYCLE.BIN",
    ),
    Situation("storage-server", with_thumbnails("3/@eaDir/0.png"), WHOLE, "3/@eaDir"),
    Situation("storage-server-top", with_thumbnails("@eaDir/3"), WHOLE, "@eaDir"),
    Situation("hidden", with_thumbnails(".thumbnails"), WHOLE, ".thumbnails"),
    Situation(
        "desktop",
        with_files({"3/Thumbs.db": b"\xd0\xcf\x11\xe0", "3/desktop.ini": b"[x]", ".DS_Store": b""}),
        WHOLE,
        "3/Thumbs.db",
    ),
    Situation("jfif", with_suffix(".jfif", ".jpg"), WHOLE, "3/0.jfif"),
    Situation("gif", all_gif, WHOLE, "3/0.gif"),
    Situation("nosuffix", with_suffix(""), WHOLE, "3/0"),
    Situation("heic", with_suffix(".heic"), WHOLE, "3/0.heic"),
    Situation("linkclasses", linked_classes, WHOLE, "3"),
    Situation("linkdeep", linked_deep, WHOLE, "3/batch1"),
    Situation("linktwice", twice, WHOLE, "3/two"),
    Situation("loop", looped, WHOLE, "0/again/0"),
    Situation("dangling", dangling, WHOLE),
    Situation("latin1", latin1, 2 * CLASSES + 1, f"0/{NOT_UTF8}.png"),
    Situation("brokenlatin1", broken_latin1, 2 * CLASSES, f"0/{NOT_UTF8}.png"),
    Situation("classlatin1", class_latin1, 2 * CLASSES, NOT_UTF8, labels=(*DIGITS[:-1], NOT_UTF8)),
    Situation("capital", divided("Train", "Val"), 3 * CLASSES, "Val/0"),
    Situation("long", divided("training", "validation"), 3 * CLASSES, "validation/0"),
)
