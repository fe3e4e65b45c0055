from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from msgspec.structs import replace
from PIL import Image

from colour_artifacts import COLOURS, PLAIN, SUMS, colours
from linear_artifacts import write_linear
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.images.classify import Classifier, best, softmax
from shufflenet_deploy.runtime.images.command import main
from shufflenet_deploy.runtime.manifest import (
    Preprocessing,
    manifest_path,
    read_manifest,
    write_manifest,
)
from waiting import HANG_SECONDS


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name, colour in COLOURS.items():
        Image.new("RGB", (9, 7), colour).save(tmp_path / f"{name}.png")
    return tmp_path


# --- Classifier


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
@pytest.mark.parametrize("mean", [0.0, 100.0])
def test_it_knows_the_colours(photos: Path, dtype: str, order: str, mean: float) -> None:
    preprocessing = replace(PLAIN, channel_order=order, mean=(mean, mean / 2, 0.0))
    classifier = Classifier(colours(photos / "rgb.onnx", preprocessing, dtype=dtype).path)
    for index, name in enumerate(COLOURS):
        guesses = classifier.classify(photos / f"{name}.png")
        assert len(guesses) == 3
        assert (guesses[0].index, guesses[0].label) == (index, name)
        assert sum(guess.probability for guess in guesses) == pytest.approx(1)


def test_a_camera_s_frame(photos: Path) -> None:
    classifier = Classifier(str(colours(photos / "rgb.onnx").path), threads=1)
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[..., 2] = 200
    assert [guess.label for guess in classifier.classify_pixels(frame, top=1)] == ["blue"]
    wrongs: list[Any] = [frame[:3], frame.astype(np.float32), frame[None]]
    for wrong in wrongs:
        with pytest.raises(InferenceError, match=r"takes \(4, 4, 3\) uint8"):
            classifier.classify_pixels(wrong)


def test_without_labels_a_class_is_its_index(photos: Path) -> None:
    classifier = Classifier(colours(photos / "rgb.onnx", labels=None).path)
    assert classifier.classify(photos / "green.png")[0].label == "1"


def test_a_real_network(artifact: Path, photos: Path) -> None:
    """In both formats: ShuffleNet with random weights, said to be a file's."""
    path = Path(shutil.copy(artifact, photos))
    manifest = read_manifest(manifest_path(artifact))
    trained = replace(manifest, weights=replace(manifest.weights, origin="file"))
    write_manifest(manifest_path(path), trained)
    guesses = Classifier(path).classify(photos / "red.png")
    assert len(guesses) == 5
    assert [one.probability for one in guesses] == sorted(
        (one.probability for one in guesses), reverse=True
    )
    assert all(guess.label == str(guess.index) for guess in guesses)


def test_random_weights_recognise_nothing(photos: Path) -> None:
    path = colours(photos / "rgb.onnx", origin="random").path
    with pytest.raises(InferenceError, match=r"useless for recognising .* --weights FILE"):
        Classifier(path)


def test_a_manifest_that_does_not_fit_its_network(photos: Path) -> None:
    artifact = colours(photos / "rgb.onnx")
    for changed, message in (
        (
            replace(artifact.manifest, labels=("red", "green")),
            r"answers \(1, 3\) for 1 images and 2",
        ),
        (replace(artifact.manifest, preprocessing=Preprocessing(crop=(5, 5))), "does not run on"),
    ):
        write_manifest(manifest_path(artifact.path), changed)
        with pytest.raises(InferenceError, match=message):
            Classifier(artifact.path).classify(photos / "red.png")


def test_logits_that_are_not_finite(photos: Path) -> None:
    path = write_linear(photos / "nan.onnx", SUMS, np.full(3, np.nan), PLAIN).path
    with pytest.raises(InferenceError, match="not finite"):
        Classifier(path).classify(photos / "red.png")


# --- softmax, best

logits_of_any_size = arrays.arrays(
    np.float32, st.integers(1, 30), elements=st.floats(-(2.0**100), 2.0**100, width=32)
)


@given(logits_of_any_size)
def test_softmax_is_stable(logits: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    probabilities = softmax(logits)
    assert np.isfinite(probabilities).all()
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities[logits.argmax()] == probabilities.max()


@given(arrays.arrays(np.float64, 6, elements=st.floats(-20, 20)), st.floats(-1000, 1000))
def test_softmax_against_its_definition(
    logits: np.ndarray[tuple[int], np.dtype[np.float64]], shift: float
) -> None:
    wanted = np.exp(logits) / np.exp(logits).sum()
    assert softmax(logits) == pytest.approx(wanted)
    assert softmax(logits + shift) == pytest.approx(wanted, rel=1e-6)


def test_best_of_known_logits() -> None:
    logits = np.log(np.array([0.1, 0.4, 0.1, 0.4]))
    guesses = best(logits, ("a", "b", "c", "d"), top=3)
    assert [(guess.index, guess.label) for guess in guesses] == [(1, "b"), (3, "d"), (0, "a")]
    assert [guess.probability for guess in guesses] == pytest.approx([0.4, 0.4, 0.1])
    assert len(best(logits, None, top=99)) == 4


# --- the command

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def classify(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Command:
    """Run the command in the folder of the photos: exit code, stdout, stderr."""
    colours(photos / "rgb.onnx")
    monkeypatch.chdir(photos)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["shufflenet-classify", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfdbinary.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out.decode(), err.decode()

    return run


def test_the_command(classify: Command) -> None:
    code, out, err = classify("rgb.onnx", "blue.png", "red.png", "--top", "2")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "blue.png",
        "   96.5%  blue",
        "    1.8%  red",
        "red.png",
        "   96.5%  red",
        "    1.8%  green",
    ]


def test_json(classify: Command, photos: Path) -> None:
    code, out, err = classify("rgb.onnx", "green.png", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    (image,) = document["images"]
    assert document["artifact"] == "rgb.onnx"
    assert document["failed"] == []
    assert image["path"] == "green.png"
    assert [guess["label"] for guess in image["guesses"]] == ["green", "red", "blue"]
    assert image["guesses"][0]["probability"] == pytest.approx(np.e**4 / (np.e**4 + 2))


def test_one_bad_image_of_many(classify: Command, photos: Path) -> None:
    (photos / "notes.txt").write_text("no image")
    code, out, err = classify("rgb.onnx", "notes.txt", "blue.png")
    assert code == 1
    assert out.startswith("blue.png\n")
    assert err.splitlines() == [
        "not classified: notes.txt is not an image that is read here: save it as JPEG, PNG, WebP "
        "or TIFF",
        "error: 1 of 2 not classified",
    ]
    code, out, _ = classify("rgb.onnx", "notes.txt", "blue.png", "--json")
    assert code == 1
    document = json.loads(out)
    assert [one["path"] for one in document["failed"]] == ["notes.txt"]
    assert [one["path"] for one in document["images"]] == ["blue.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.onnx", "red.png"], 2, "no artifact none.onnx"),
        (["rgb.onnx", "red.png", "none.png"], 2, "no image none.png"),
        (["rgb.onnx", "rgb.onnx"], 1, "rgb.onnx is not an image"),
        (["rgb.onnx", "cut.png"], 1, "cut.png is a broken image"),
        (["rgb.onnx", "."], 2, "cannot read .: Is a directory"),
        (["rgb.onnx"], 2, "IMAGE"),
        (["rgb.onnx", "red.png", "--top", "0"], 2, "'--top'"),
        (["rgb.onnx", "red.png", "--threads", "0"], 2, "'--threads'"),
        (["rgb.onnx", "red.png", "--bogus"], 2, "No such option"),
        (["random.onnx", "red.png"], 1, "useless for recognising anything"),
    ],
)
def test_what_is_wrong_is_one_line(
    classify: Command, photos: Path, arguments: list[str], code: int, message: str
) -> None:
    colours(photos / "random.onnx", origin="random")
    pixels = np.random.RandomState(0).randint(0, 256, (40, 40, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(photos / "cut.png")
    (photos / "cut.png").write_bytes((photos / "cut.png").read_bytes()[:3000])
    found, out, err = classify(*arguments)
    assert (found, out, err.count("\n")) == (code, "", 1), err
    assert err.startswith("error: ")
    assert message in err


def test_without_pillow(classify: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIL", "PIL.Image"):
        monkeypatch.setitem(sys.modules, name, None)
    code, out, err = classify("rgb.onnx", "red.png")
    assert (code, out) == (1, "")
    assert "pip install 'shufflenet-deploy[images]'" in err


def test_what_is_imported(classify: Command, photos: Path) -> None:
    """Nothing that is slow for --help, and never torch or onnx."""
    script = """
import sys
from shufflenet_deploy.runtime.images.command import main
try:
    main()
finally:
    names = {"numpy", "PIL", "onnxruntime", "ai_edge_litert", "torch", "onnx"}
    print(sorted(names & sys.modules.keys()), file=sys.stderr)
"""
    for arguments, imported in (
        (["--help"], []),
        (["rgb.onnx", "red.png"], ["PIL", "numpy", "onnxruntime"]),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=photos,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1] == str(imported)


@given(st.floats(-1e4, 1e4))
def test_one_output_is_a_probability_by_itself(logit: float) -> None:
    (guess,) = best(np.array([logit]), ("dog",), 5)
    assert guess.probability == pytest.approx(1 / (1 + math.exp(-max(-700.0, logit))), abs=1e-9)
