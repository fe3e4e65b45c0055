"""An image as a network takes it: the same for training, calibration, evaluation and the device.

Reading and fitting images needs Pillow, the ``[images]`` extra; numbers need numpy alone.
"""

from __future__ import annotations

import math
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.files.kind import mistaken, start_of
from shufflenet_deploy.runtime.files.reading import opened
from shufflenet_deploy.runtime.manifest import Manifest, Preprocessing
from shufflenet_deploy.runtime.seeded import Floats, to_layout

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]
"""Images (N, H, W, 3), or one image (H, W, 3), in RGB from 0 to 255."""

_KEPT = 4
"""How many crops long an image's sides are at most: what is longer is cut first, see `fit`."""


FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM")
"""Pillow's names of the formats that are read. No others are opened: some start programs."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)


def image_format(start: bytes) -> str | None:
    """The format of an image whose file begins so (64 bytes are enough); None for any other."""
    for signature, name in _SIGNATURES:
        if start.startswith(signature):
            return name
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    if start[4:8] == b"ftyp" and (b"avif" in start[8:64] or b"avis" in start[8:64]):
        return "AVIF"
    if start[:2] == b"BM" and int.from_bytes(start[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if start[:1] == b"P" and start[1:2] in b"123456" and start[2:3] in b" \t\r\n#":
        return "PPM" if len(start) > 2 else None
    return None


def require_pillow() -> None:
    """Raise `InferenceError`, with the remedy, where Pillow is not installed."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise InferenceError(
            "reading images needs Pillow: pip install 'shufflenet-deploy[images]'"
        ) from None


def read_image(path: Path) -> Image:
    """Read an image file as RGB, upright as its EXIF data has it; of several frames the first.

    Transparency is ignored, as the usual training pipelines do; of 16 bits the upper 8 are
    taken. Raises `InferenceError` for a file that is missing, not an image or cut off, or whose
    pixels have no known range (32 bits), and where Pillow is not installed.
    """
    try:
        return decode_image(path, str(path))
    except FileNotFoundError:
        raise InferenceError(f"no image {path}", usage=True) from None
    except OSError as error:
        raise InferenceError(f"cannot read {path}: {error.strerror}", usage=True) from None


def decode_image(source: Path | BinaryIO, name: str) -> Image:
    """The same of a file or of what a stream holds, which messages call `name`.

    Raises OSError for a file that cannot be opened.
    """
    require_pillow()
    with ExitStack() as stack:
        stream = stack.enter_context(opened(source)) if isinstance(source, Path) else source
        return _decoded(stream, source, name)


def _decoded(stream: BinaryIO, source: Path | BinaryIO, name: str) -> Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Of odd EXIF data, of large photographs: none keeps the pixels from being right.
            warnings.simplefilter("ignore")
            Image.init()  # lists what this Pillow was built with
            known = [name for name in FORMATS if name in Image.OPEN]
            with Image.open(stream, formats=known) as image:
                return _rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        instead = _instead(source) if isinstance(source, Path) else "not an image"
        raise InferenceError(f"{name} is {instead}") from None
    except Image.DecompressionBombError:
        raise InferenceError(
            f"{name} has more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels: "
            "scale it down"
        ) from None
    except Exception as error:  # noqa: BLE001 - decoders of broken files raise anything
        raise InferenceError(
            f"{name} is a broken image: {str(error) or type(error).__name__}"
        ) from None


def _instead(path: Path) -> str:
    """What a file is that is no image."""
    start = start_of(path)
    if kind := mistaken(start):
        return f"not an image but {kind}"
    if image_format(start) is None:
        return "not an image that is read here: save it as JPEG, PNG, WebP or TIFF"
    return "an image that this Pillow does not read: pip install --upgrade pillow"


def _rgb(image: Image) -> Image:
    """`image` as RGB. Raises ValueError where the range of its pixels is not known."""
    from PIL import Image

    if image.mode.startswith("I;16"):  # Pillow would clip at 255, which is nearly all white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its pixels have 32 bits, of no known range; save it with 8 or 16")
    if image.mode == "P":  # by way of RGBA, or a transparent palette is warned of
        image = image.convert("RGBA")
    return image.convert("RGB")


def fit(image: Image, preprocessing: Preprocessing) -> Pixels:
    """Resize and crop an RGB image as `Preprocessing` says: pixels (H, W, 3) of the crop's size.

    Rounded as torchvision's Resize and CenterCrop round: the shorter side becomes 256 for a crop
    of 224 and a fraction of 0.875, the longer side is rounded down, and the crop's place is
    rounded to even.
    """
    from PIL.Image import Resampling

    height, width = preprocessing.crop
    scale = max(height / image.height, width / image.width) / preprocessing.crop_fraction
    image = _middle(image, math.ceil(_KEPT * width / scale), math.ceil(_KEPT * height / scale))
    size = (  # never below the crop, whatever the division above lost
        max(width, int(image.width * scale + 1e-6)),
        max(height, int(image.height * scale + 1e-6)),
    )
    resized = image.resize(size, Resampling.BILINEAR)
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    return np.asarray(resized.crop((left, top, left + width, top + height)))


def _middle(image: Image, width: int, height: int) -> Image:
    """The middle of an image that is larger than this, any other as it is.

    A strip of 1x30000 pixels would take gigabytes when its shorter side is made 256; photographs,
    panoramas among them, are never so long.
    """
    if image.width <= width and image.height <= height:
        return image
    left, top = max(0, image.width - width) // 2, max(0, image.height - height) // 2
    return image.crop((left, top, image.width - left, image.height - top))


def normalise(pixels: Pixels, preprocessing: Preprocessing) -> Floats:
    """Pixels (N, H, W, 3) as the network's numbers, float32, in its channel order."""
    if preprocessing.channel_order == "BGR":
        pixels = pixels[..., ::-1]
    mean = np.asarray(preprocessing.mean, np.float32)
    std = np.asarray(preprocessing.std, np.float32)
    return (pixels.astype(np.float32) - mean) / std


def network_input(pixels: Pixels, manifest: Manifest) -> NDArray[Any]:
    """Pixels (N, H, W, 3) as the artifact's input: see `as_input`.

    Raises `InferenceError` for an artifact whose input is of a type that is not known here.
    """
    tensor = manifest.input
    if tensor.dtype not in INPUT_TYPES:
        raise InferenceError(
            f"{manifest.file_name} takes {tensor.dtype}, and this is known for float32, uint8 and "
            "int8: export it again with this shufflenet-deploy"
        )
    return as_input(pixels, manifest.preprocessing, tensor.dtype, tensor.layout)


INPUT_TYPES = ("float32", "uint8", "int8")


def as_input(pixels: Pixels, preprocessing: Preprocessing, dtype: str, layout: str) -> NDArray[Any]:
    """Pixels (N, H, W, 3) as an input of `dtype`, one of `INPUT_TYPES`, in `layout`.

    float32 gets what `normalise` makes. uint8 gets the pixels as a camera gives them, RGB, 0 to
    255: channel order and normalisation are inside the graph. int8 gets the same less 128.
    """
    if dtype == "float32":
        return to_layout(normalise(pixels, preprocessing), layout)
    if dtype == "int8":
        return to_layout((pixels ^ 128).view(np.int8), layout)  # without a wider type
    return to_layout(pixels, layout)
