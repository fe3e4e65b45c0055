"""A camera's loop by the real command, with a folder and a pipe in the camera's place."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from colour_artifacts import COLOURS, colours
from shufflenet_deploy.runtime.images.stages import STAGES
from waiting import HANG_SECONDS

ORDER = ("red", "blue", "blue", "green")


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, name in enumerate(ORDER):
        Image.new("RGB", (16, 12), COLOURS[name]).save(folder / f"{index}.jpg", quality=95)
    return folder


def classify(
    folder: Path, *words: object, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    artifact = colours(folder / "rgb.onnx").path
    return subprocess.run(
        command(artifact, *words), input=stdin, capture_output=True, check=False,
        timeout=HANG_SECONDS,
    )  # fmt: skip


def command(artifact: Path, *words: object) -> list[str]:
    module = "shufflenet_deploy.runtime.images.command"
    return [sys.executable, "-m", module, str(artifact), *map(str, words)]


def stream(frames: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(frames.iterdir()))


def last(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode().splitlines()[-1]


def test_a_folder_is_labelled_frame_by_frame(frames: Path, tmp_path: Path) -> None:
    done = classify(tmp_path, "--camera", frames)
    assert done.returncode == 0, done.stderr
    labels = [line.split()[-1] for line in done.stdout.decode().splitlines()]
    # The same again within a second is no news.
    assert labels in (["red", "blue", "green"], list(ORDER))
    assert last(done).startswith("4 frames, ")
    assert all(f"{stage} " in last(done) for stage in STAGES)


def test_a_pipe_is_labelled_frame_by_frame(frames: Path, tmp_path: Path) -> None:
    done = classify(tmp_path, "--camera", "-", "--json", stdin=stream(frames))
    assert done.returncode == 0, done.stderr
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [document["guesses"][0]["label"] for document in documents] == list(ORDER)
    assert [document["frame"] for document in documents] == [f"frame {n}" for n in (1, 2, 3, 4)]
    assert documents[0]["frames_per_second"] is None
    for document in documents:
        assert list(document["stages_ns"]) == list(STAGES)
        assert all(nanoseconds > 0 for nanoseconds in document["stages_ns"].values())


def test_it_ends_after_as_many_as_asked_for(frames: Path, tmp_path: Path) -> None:
    done = classify(tmp_path, "--camera", "-", "--frames", 2, stdin=stream(frames))
    assert done.returncode == 0
    assert last(done).startswith("2 frames, ")


def test_a_frame_that_is_broken_is_told_of_and_left_out(frames: Path, tmp_path: Path) -> None:
    done = classify(tmp_path, "--camera", "-", stdin=b"\xff\xd8broken" + stream(frames))
    assert done.returncode == 0
    assert b"left out: frame 1 is not an image\n" in done.stderr
    assert last(done).startswith("4 frames, ")


def test_ctrl_c_is_how_it_usually_ends(frames: Path, tmp_path: Path) -> None:
    artifact = colours(tmp_path / "rgb.onnx").path
    process = subprocess.Popen(
        command(artifact, "--camera", "-", "--json"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    with process:
        process.stdin.write(stream(frames))
        process.stdin.flush()  # and no end: a camera has none
        for _ in ORDER[:-1]:
            assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.wait(HANG_SECONDS)
        assert process.stderr
        said = process.stderr.read().decode().splitlines()[-1]
    assert process.returncode == 0
    assert " a second; from image to label " in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--camera", "/nowhere"),
            "--camera /nowhere: give a camera such as /dev/video0",
        ),
        (("--camera", "EMPTY"), "there are no images in it"),
        (("--camera", "-"), "no frame came through the pipe"),
        (("--camera", "-", "photo.jpg"), "give each IMAGE, or --camera, and not both"),
        ((), "give each IMAGE, or --camera, and not both"),
        (("--frames", "3", "photo.jpg"), "--frames goes with --camera"),
    ],
)
def test_what_is_no_camera_is_refused_in_one_line(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "EMPTY").mkdir()
    given = [str(tmp_path / word) if word == "EMPTY" else word for word in words]
    done = classify(tmp_path, *given)
    assert done.returncode == 2
    assert said in last(done)
    assert done.stdout == b""


def test_what_is_no_motion_jpeg_is_refused_in_one_line(tmp_path: Path) -> None:
    done = classify(tmp_path, "--camera", "-", stdin=b"hello")
    assert done.returncode == 1
    assert "rpicam-vid --codec mjpeg -o - does" in last(done)


def test_a_camera_needs_opencv_which_is_said(tmp_path: Path) -> None:
    if importlib.util.find_spec("cv2") or os.path.exists("/dev/video9"):  # noqa: PTH110
        pytest.skip("OpenCV is installed here, or a tenth camera")
    done = classify(tmp_path, "--camera", "/dev/video9")
    assert done.returncode == 1
    assert "needs OpenCV: pip install opencv-python-headless" in last(done)
