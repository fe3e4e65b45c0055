"""Where a camera's frames come from: the camera itself, a pipe, or a folder in its place."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.images.folders import Walk
from shufflenet_deploy.runtime.images.jpeg_stream import Stream, pictures
from shufflenet_deploy.runtime.preprocess import decode_image, read_image

if TYPE_CHECKING:
    from PIL.Image import Image

PIPE = "-"
"""Stands for the standard input."""
_SECONDS = 10.0
"""How long a camera may give no frame."""


@dataclass(frozen=True)
class Frame:
    """One picture of a camera."""

    name: str
    """The file's path, or the frame's number from 1."""
    read: Callable[[], Image]
    """Decodes it; raises `InferenceError` where it is broken."""


@contextmanager
def camera(source: str, stdin: Stream | None = None) -> Iterator[Iterator[Frame]]:
    """The frames of `source`: ``/dev/video0``, a folder, or `PIPE`.

    Of a folder each image, in the order of the names; of a pipe each picture of Motion JPEG, so
    that whoever writes waits while we are slower; of a camera always the newest frame. Raises
    `InferenceError` for what is none of these, and where OpenCV is needed and not installed.
    """
    if source == PIPE:
        yield _of_pipe(stdin or cast(Stream, sys.stdin.buffer))
        return
    path = Path(source)
    if path.is_dir():
        yield _of_folder(path)
    elif path.is_char_device() or source.startswith("/dev/video"):
        with _Device(source) as device:
            yield device.frames()
    else:
        raise InferenceError(
            f"--camera {source}: give a camera such as /dev/video0, a folder of images, or - for "
            "Motion JPEG through a pipe",
            usage=True,
        )


def _of_folder(folder: Path) -> Iterator[Frame]:
    paths = Walk().images(folder)
    if not paths:
        raise InferenceError(f"--camera {folder}: there are no images in it", usage=True)
    return (Frame(str(path), partial(read_image, path)) for path in paths)


def _of_pipe(stdin: Stream) -> Iterator[Frame]:
    number = 0
    for number, content in enumerate(pictures(stdin), 1):
        name = f"frame {number}"
        yield Frame(name, partial(decode_image, io.BytesIO(content), name))
    if not number:
        raise InferenceError("no frame came through the pipe", usage=True)


class _Device:
    """A camera of Video4Linux, through OpenCV, read by a thread that keeps the newest frame."""

    def __init__(self, source: str) -> None:
        try:
            import cv2  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            raise InferenceError(
                f"--camera {source} needs OpenCV: pip install opencv-python-headless; or pipe "
                "Motion JPEG to --camera -, as rpicam-vid --codec mjpeg -o - writes it"
            ) from None
        self._source = source
        self._capture = cv2.VideoCapture(source)
        if not self._capture.isOpened():
            raise InferenceError(
                f"--camera {source} cannot be opened: see that it is there (v4l2-ctl "
                "--list-devices), that no other program has it, and that you are in the group video"
            )
        self._newest: Any = None
        self._number = 0
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> _Device:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join(_SECONDS)
        self._capture.release()

    def frames(self) -> Iterator[Frame]:
        from PIL import Image

        seen = 0
        while True:
            with self._changed:
                came = self._changed.wait_for(self._is_newer_than(seen), _SECONDS)
                if self._ended or not came:
                    raise InferenceError(f"--camera {self._source} gives no more frames")
                seen, newest = self._number, self._newest
            # OpenCV's channels are BGR.
            yield Frame(f"frame {seen}", partial(Image.fromarray, newest[..., ::-1]))

    def _is_newer_than(self, number: int) -> Callable[[], bool]:
        return lambda: self._ended or self._number > number

    def _read(self) -> None:
        while not self._ended:
            is_there, pixels = self._capture.read()
            with self._changed:
                if is_there:
                    self._newest, self._number = pixels, self._number + 1
                else:
                    self._ended = True
                self._changed.notify()
