from __future__ import annotations

import io
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image

from linear_artifacts import write_linear
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.manifest import Manifest, Preprocessing
from shufflenet_deploy.runtime.preprocess import fit, network_input, normalise, read_image

sides = st.integers(1, 300)
crops = st.integers(1, 64)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


def triangle(inside: int, outside: int) -> NDArray[np.float64]:
    """The matrix of a bilinear resize that averages where it shrinks: (outside, inside)."""
    scale = inside / outside
    centres = (np.arange(outside) + 0.5) * scale
    distances = np.abs(np.arange(inside) + 0.5 - centres[:, None]) / max(scale, 1.0)
    weights = np.clip(1 - distances, 0, None)
    result: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return result


def resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float64]:
    """Width first, rounded to bytes between, as Pillow does."""
    wide = np.floor(
        np.einsum("ow,hwc->hoc", triangle(pixels.shape[1], width), pixels, optimize=True) + 0.5
    )
    both = np.einsum("oh,hwc->owc", triangle(pixels.shape[0], height), wide, optimize=True)
    result: NDArray[np.float64] = np.floor(both + 0.5)
    return result


# --- fit


@given(sides, sides, crops, crops, st.sampled_from([0.5, 0.875, 1.0]))
def test_fit_gives_the_crop_s_size(
    width: int, height: int, crop_height: int, crop_width: int, fraction: float
) -> None:
    preprocessing = Preprocessing(crop=(crop_height, crop_width), crop_fraction=fraction)
    pixels = fit(Image.new("RGB", (width, height), (1, 2, 3)), preprocessing)
    assert pixels.shape == (crop_height, crop_width, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == (1, 2, 3)).all()  # nothing of what lies beyond the image


@pytest.mark.parametrize(
    ("size", "left", "top"),
    [((256, 256), 16, 16), ((300, 256), 38, 16), ((256, 333), 16, 54), ((259, 256), 18, 16)],
)
def test_the_crop_of_224_is_cut_from_the_middle_of_256(
    size: tuple[int, int], left: int, top: int
) -> None:
    # Of (259 - 224) / 2 = 17.5 torchvision takes 18, of (333 - 224) / 2 = 54.5 it takes 54.
    pixels = noise(size[1], size[0])
    found = fit(Image.fromarray(pixels), Preprocessing(crop=(224, 224)))
    assert (found == pixels[top : top + 224, left : left + 224]).all()


@pytest.mark.parametrize(
    ("width", "height", "shorter_256"),
    [(640, 480, (341, 256)), (480, 640, (256, 341)), (100, 75, (341, 256)), (512, 512, (256, 256))],
)
def test_a_photograph_is_resized_as_numpy_does_it(
    width: int, height: int, shorter_256: tuple[int, int]
) -> None:
    preprocessing = Preprocessing(crop=(224, 224))
    pixels = noise(height, width)
    wanted = resized(pixels, shorter_256[1], shorter_256[0])
    left, top = ((side - 224) / 2 for side in shorter_256)
    wanted = wanted[round(top) : round(top) + 224, round(left) : round(left) + 224]
    found = fit(Image.fromarray(pixels), preprocessing)
    assert np.abs(found - wanted).max() <= 1
    assert (found == wanted).mean() > 0.99
    numbers = normalise(found[None], preprocessing)[0]
    by_hand = (found / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    assert np.abs(numbers - by_hand).max() < 1e-5


@given(sides, sides)
def test_the_crop_is_the_middle(width: int, height: int) -> None:
    mirrored = noise(height, width)
    symmetric = (mirrored // 2 + mirrored[::-1, ::-1] // 2).astype(np.uint8)
    preprocessing = Preprocessing(crop=(32, 32))
    found = fit(Image.fromarray(symmetric), preprocessing).astype(int)
    turned = found[::-1, ::-1]
    # An odd remainder is one pixel more on one side.
    best = min(
        np.abs(np.roll(turned, (down, right), (0, 1)) - found)[2:-2, 2:-2].max()
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    )
    assert best <= 2


def test_a_crop_that_is_not_square_covers_the_image() -> None:
    image = Image.new("RGB", (100, 300), (9, 9, 9))
    assert fit(image, Preprocessing(crop=(48, 64), crop_fraction=1.0)).shape == (48, 64, 3)


@pytest.mark.parametrize("size", [(1, 40_000), (40_000, 1)])
def test_a_strip_takes_no_gigabytes(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    areas = []
    original = Image.Image.resize

    def resize(image: Image.Image, size: tuple[int, int], *rest: Any) -> Image.Image:
        areas.append(size[0] * size[1])
        return original(image, size, *rest)

    monkeypatch.setattr(Image.Image, "resize", resize)
    assert fit(Image.new("RGB", size), Preprocessing(crop=(224, 224))).shape == (224, 224, 3)
    assert max(areas) < 256 * 256 * 10


def test_a_long_strip_keeps_its_middle() -> None:
    strip = Image.new("RGB", (10_001, 8), (0, 0, 0))
    strip.paste((255, 255, 255), (4_999, 0, 5_002, 8))
    found = fit(strip, Preprocessing(crop=(64, 64), crop_fraction=1.0))[:, :, 0].mean(axis=0)
    assert abs(float((found * np.arange(64)).sum() / found.sum()) - 31.5) < 0.6


# --- read_image


def save(folder: Path, image: Image.Image, name: str = "image.png", **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize(
    ("mode", "colour", "wanted"),
    [
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("L", 77, (77, 77, 77)),
        ("LA", (77, 0), (77, 77, 77)),
        ("RGBA", (10, 20, 30, 0), (10, 20, 30)),
        ("1", 1, (255, 255, 255)),
        ("I;16", 0x80FF, (0x80, 0x80, 0x80)),
        ("I;16", 0xFFFF, (255, 255, 255)),
    ],
)
def test_all_kinds_of_png_become_rgb(
    tmp_path: Path, mode: str, colour: Any, wanted: tuple[int, int, int]
) -> None:
    image = read_image(save(tmp_path, Image.new(mode, (3, 2), colour)))
    assert (image.mode, image.size) == ("RGB", (3, 2))
    assert image.getpixel((2, 1)) == wanted


@pytest.mark.parametrize("transparency", [None, 0, bytes([0, 255, 128])])
def test_a_palette(tmp_path: Path, transparency: object) -> None:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([1, 2, 3, 40, 50, 60, 7, 8, 9])
    options: dict[str, Any] = {} if transparency is None else {"transparency": transparency}
    assert read_image(save(tmp_path, image, **options)).getpixel((0, 0)) == (40, 50, 60)


def test_a_big_endian_tiff_of_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    Image.frombytes("I;16B", (2, 1), b"\x12\x34\xff\x00").save(path)
    assert [read_image(path).getpixel((x, 0)) for x in (0, 1)] == [(0x12,) * 3, (0xFF,) * 3]


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    red, green, blue = read_image(save(tmp_path, image, f"image.{suffix}")).getpixel((4, 4))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bits_have_no_known_range(tmp_path: Path, mode: str) -> None:
    path = save(tmp_path, Image.new(mode, (2, 2), 1), "image.tif")
    with pytest.raises(InferenceError, match=r"image\.tif .* 32 bits, of no known range"):
        read_image(path)


def test_the_first_of_several_frames(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    path = save(tmp_path, frames[0], "image.gif", save_all=True, append_images=frames[1:])
    assert read_image(path).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_upright_as_exif_says(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 255  # white in the upper left corner, and there only
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: np.rot90(upright.transpose(1, 0, 2), 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, Image.fromarray(stored), "image.jpg", exif=exif, quality=100)
    found = np.asarray(read_image(path)).astype(int)
    assert np.abs(found - upright).max() < 30


def test_what_pillow_warns_of_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, Image.new("RGB", (30, 30)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path).size == (30, 30)


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, Image.new("RGB", (30, 30)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InferenceError, match=r"has more than \d+ million pixels: scale it down"):
        read_image(path)


def test_files_that_are_no_images(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match=r"no image .*none\.png") as missing:
        read_image(tmp_path / "none.png")
    assert missing.value.usage
    with pytest.raises(InferenceError, match=r"cannot read .*: Is a directory"):
        read_image(tmp_path)
    for content in (b"", b"no image at all"):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(InferenceError, match=r"a\.png is not an image"):
            read_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp"])
def test_a_truncated_image(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path, Image.fromarray(noise(40, 40)), f"image.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    with pytest.raises(InferenceError, match=r"image\.\w+ is (a broken|not an) image"):
        read_image(path)


@given(st.sampled_from(["png", "jpeg", "bmp", "tiff", "webp", "gif", "ppm"]), st.data())
def test_broken_bytes_are_an_image_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, format_: str, data: st.DataObject
) -> None:
    stream = io.BytesIO()
    Image.fromarray(noise(12, 12)).save(stream, format_)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"fuzzed.{format_}"
    path.write_bytes(content)
    with suppress(InferenceError):
        assert read_image(path).mode == "RGB"


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, Image.new("RGB", (3, 3)))
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(InferenceError, match=r"pip install 'shufflenet-deploy\[images\]'"):
        read_image(path)


# --- normalise, network_input


def test_channels_and_numbers() -> None:
    pixels = np.array([[[[10, 20, 30]]]], np.uint8)
    mean, std = (1.0, 2.0, 3.0), (2.0, 4.0, 8.0)
    rgb = Preprocessing(crop=(1, 1), mean=mean, std=std)
    assert normalise(pixels, rgb).ravel().tolist() == [4.5, 4.5, 3.375]
    # Mean and deviation are in the network's order too.
    bgr = Preprocessing(crop=(1, 1), mean=mean, std=std, channel_order="BGR")
    assert normalise(pixels, bgr).ravel().tolist() == [14.5, 4.5, 0.875]
    plain = replace(bgr, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    assert normalise(pixels, plain).ravel().tolist() == [30, 20, 10]
    assert normalise(pixels, plain).dtype == np.float32


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    path = tmp_path_factory.mktemp("linear") / "linear.onnx"
    preprocessing = Preprocessing(crop=(2, 2))
    return write_linear(path, np.ones((3, 12)), np.zeros(3), preprocessing).manifest


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_the_input_is_of_the_manifest_s_type_and_layout(
    manifest: Manifest, dtype: str, order: str, layout: str
) -> None:
    pixels = np.stack([noise(5, 4, seed) for seed in (1, 2)])
    pixels[0, 0, 0] = (0, 128, 255)
    preprocessing = Preprocessing(crop=(5, 4), channel_order=order)
    tensor = replace(manifest.input, dtype=dtype, layout=layout)
    found = network_input(pixels, replace(manifest, input=tensor, preprocessing=preprocessing))
    assert found.dtype == dtype
    assert found.flags.c_contiguous
    if layout == "NCHW":
        assert found.shape == (2, 3, 5, 4)
        found = found.transpose(0, 2, 3, 1)
    inputs: dict[str, NDArray[Any]] = {
        "float32": normalise(pixels, preprocessing),
        "uint8": pixels,  # RGB whatever the network's order: its graph turns it
        "int8": pixels.astype(int) - 128,
    }
    assert (found == inputs[dtype]).all()


def test_an_input_type_that_is_not_known(manifest: Manifest) -> None:
    wrong = replace(manifest, input=replace(manifest.input, dtype="int16"))
    with pytest.raises(InferenceError, match="takes int16"):
        network_input(noise(32, 32)[None], wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channel_order": "GBR"}, "channel order 'GBR'"),
        ({"mean": (0.0, float("nan"), 0.0)}, "mean"),
        ({"std": (1.0, 0.0, 1.0)}, "std"),
        ({"crop_fraction": 0.0}, "crop fraction 0.0"),
    ],
)
def test_preprocessing_that_no_image_could_have_is_refused(
    wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing(crop=(224, 224), **wrong)  # type: ignore[arg-type]
