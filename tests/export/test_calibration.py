"""Calibration images: which are taken, which are left out, and what is too few."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shufflenet_deploy.export import pipeline
from shufflenet_deploy.export.calibration import CalibrationSet, from_noise, from_source
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.manifest import Preprocessing
from shufflenet_deploy.runtime.seeded import seeded_pixels

PREPROCESSING = Preprocessing(crop=(32, 40))


def _images(folder: Path, count: int) -> None:
    random = np.random.default_rng(0)
    for index in range(count):
        place = folder / f"class{index % 3}" / "deeper"
        place.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (50, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{index}.png")


def _read(folder: Path, samples: int = 20, seed: int = 0) -> tuple[CalibrationSet, list[str]]:
    lines: list[str] = []
    return from_source(str(folder), samples, seed, PREPROCESSING, lines.append), lines


def test_as_many_as_were_asked_for_whatever_the_folders(tmp_path: Path) -> None:
    _images(tmp_path, 30)
    chosen, lines = _read(tmp_path)
    assert chosen.pixels.shape == (20, 32, 40, 3)
    assert chosen.pixels.dtype == np.uint8
    assert (chosen.record.samples, chosen.record.source) == (20, tmp_path.name)
    assert lines == []


def test_the_seed_decides_which(tmp_path: Path) -> None:
    _images(tmp_path, 30)
    first, same, other = (_read(tmp_path, seed=seed)[0].pixels for seed in (0, 0, 1))
    assert (first == same).all()
    assert (first != other).any()


def test_broken_files_are_counted_and_named(tmp_path: Path) -> None:
    _images(tmp_path, 18)
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("not counted: its name is no image's")
    whole = (tmp_path / "class0" / "deeper" / "0.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    chosen, lines = _read(tmp_path, samples=99)
    assert (chosen.record.samples, chosen.record.held_out, chosen.record.unusable) == (14, 4, 2)
    assert sorted(name for line in lines for name in ("broken.jpg", "cut.png") if name in line) == [
        "broken.jpg",
        "cut.png",
    ]


def test_names_and_their_order_decide_nothing(tmp_path: Path) -> None:
    """The same images are held out, and the others come in the same order: one artifact."""
    _images(tmp_path / "some", 30)
    (tmp_path / "others").mkdir()
    files = sorted((tmp_path / "some").rglob("*.png"), reverse=True)
    for index, path in enumerate(files):
        (tmp_path / "others" / f"{index:03}.png").write_bytes(path.read_bytes())
    first, _ = _read(tmp_path / "some", samples=99)
    second, _ = _read(tmp_path / "others", samples=99)
    assert (first.pixels == second.pixels).all()
    assert (first.held_out == second.held_out).all()
    assert len(first.held_out) == 7
    known = {image.tobytes() for image in first.pixels}
    assert not known & {image.tobytes() for image in first.held_out}


def test_further_images_are_held_out_where_there_are_some(tmp_path: Path) -> None:
    _images(tmp_path, 30)
    chosen, _ = _read(tmp_path, samples=25)
    assert (len(chosen.pixels), len(chosen.held_out)) == (23, 7)
    chosen, _ = _read(tmp_path, samples=18)
    assert (len(chosen.pixels), len(chosen.held_out)) == (18, 12)


def test_of_a_folder_with_splits_only_what_is_trained_on(tmp_path: Path) -> None:
    _images(tmp_path / "train", 16)
    _images(tmp_path / "val", 40)
    chosen, _ = _read(tmp_path, samples=99)
    assert (chosen.record.samples, chosen.record.held_out) == (12, 4)


def test_digits_are_those_to_train_on() -> None:
    chosen = from_source("digits", 40, 0, Preprocessing(crop=(32, 32)), lambda line: None)
    assert (chosen.record.source, chosen.record.samples, chosen.record.held_out) == (
        "digits",
        40,
        64,
    )
    assert chosen.pixels.shape == (40, 32, 32, 3)


def test_too_few_is_an_error(tmp_path: Path) -> None:
    _images(tmp_path, 15)
    with pytest.raises(ExportError, match=r"15 usable images .* needs at least 16"):
        _read(tmp_path)


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no calibration folder"):
        _read(tmp_path / "nowhere")


def test_inputs_are_made_one_by_one_for_each_format() -> None:
    noise = from_noise(PREPROCESSING)
    inputs = noise.inputs("float32")
    assert len(inputs) == noise.record.samples
    assert inputs[3].shape == (1, 3, 32, 40)
    assert inputs[3].dtype == np.float32
    pixels = noise.inputs("uint8")[3]
    assert (pixels[0].transpose(1, 2, 0) == noise.pixels[3]).all()
    assert sum(1 for _ in inputs) == len(inputs)


def test_a_folder_calibrates_an_export(tmp_path: Path) -> None:
    _images(tmp_path / "photos", 16)
    asked = Request(
        scale=0.25,
        input_size=(32, 32),
        precisions=("int8",),
        calibration=str(tmp_path / "photos"),
        out=tmp_path / "out",
    )
    for artifact in pipeline.export(asked, lambda line: None):
        assert artifact.manifest.calibration is not None
        assert artifact.manifest.calibration.source == "photos"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_samples(tmp_path: Path) -> None:
    # All activations of 64 images of 0.5x at 224x224 at once are 1.2 GB on top of PyTorch.
    pixels = seeded_pixels(64, (224, 224), 0)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from shufflenet_deploy.export.pipeline import export\n"
        "from shufflenet_deploy.export.request import Request\n"
        "from shufflenet_deploy.runtime.machine.memory import peak_memory_bytes\n"
        "folder = Path(sys.argv[1])\n"
        "asked = Request(scale=0.5, precisions=('int8',), calibration=sys.argv[1],"
        " out=folder / 'out')\n"
        "(onnx, tflite) = export(asked, lambda line: None)\n"
        "assert onnx.manifest.calibration.samples == 48\n"
        "print(peak_memory_bytes())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1.3e9
