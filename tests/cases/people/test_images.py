"""Images of the kinds that cameras, phones and the web make today."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cases import reached
from shufflenet_deploy.runtime.preprocess import read_image

SIZE = (40, 24)
COLOUR = (200, 60, 20)


def _plain(path: Path) -> None:
    Image.new("RGB", SIZE, COLOUR).save(path)


def _two_frames(path: Path) -> None:
    """A phone's stereo picture: the second frame is another one."""
    second = Image.new("RGB", SIZE, "blue")
    Image.new("RGB", SIZE, COLOUR).save(path, "MPO", save_all=True, append_images=[second])


def _palette(path: Path) -> None:
    Image.new("RGB", SIZE, COLOUR).quantize(4).save(path)


@pytest.mark.parametrize(
    ("name", "kind", "make"),
    [
        ("photo.avif", "AVIF", _plain),
        ("photo.webp", "WEBP", _plain),
        ("photo.jpg", "MPO", _two_frames),
        ("photo.png", "PNG", _palette),
        ("photo.gif", "GIF", _palette),
        ("photo.ppm", "PPM", _plain),
        ("größe [1] mit leer.bmp", "BMP", _plain),
        ("[bold]photo.tiff", "TIFF", _plain),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else "",
)
def test_a_picture_has_its_colour(
    name: str, kind: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / name
    make(path)
    with Image.open(path) as image:
        reached(image.format == kind, f"it is {image.format}")
    read = read_image(path)
    assert read.size == SIZE
    assert np.abs(np.asarray(read, np.int16) - COLOUR).max() <= 12  # lossy kinds


def test_of_16_bits_the_upper_8_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "sensor.png"
    Image.fromarray(np.full((8, 8), 0x9C40, np.uint16)).save(path)
    with Image.open(path) as image:
        reached(image.mode.startswith("I;16"), f"it is of mode {image.mode}")
    assert read_image(path).getpixel((3, 3)) == (0x9C,) * 3
