from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from digit_artifacts import DIGITS, Digits, vectors
from linear_artifacts import write_linear
from shufflenet_deploy.bench.accuracy.classes import match, remarks
from shufflenet_deploy.bench.accuracy.evaluate import Settings, evaluate
from shufflenet_deploy.bench.accuracy.evaluation import Evaluation
from shufflenet_deploy.bench.accuracy.table import progress, show
from shufflenet_deploy.bench.analysis.shares import wilson_interval
from shufflenet_deploy.bench.commands.evaluate import main
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.engines import NO_REMARKS
from shufflenet_deploy.runtime.errors import BenchError, InferenceError
from shufflenet_deploy.runtime.images.datasets import Dataset, Example, open_dataset
from shufflenet_deploy.runtime.manifest import (
    Preprocessing,
    manifest_path,
    read_manifest,
    write_manifest,
)
from waiting import HANG_SECONDS


def evaluated(
    dataset: Dataset, *artifacts: Artifact, batch: int = 16, **options: Any
) -> Evaluation:
    candidates = [match(artifact, dataset.labels) for artifact in artifacts]
    clock = options.pop("clock", lambda: 0)
    report = options.pop("report", lambda done, of: None)
    return evaluate(candidates, dataset, "data", Settings(batch=batch), clock, report, **options)


# --- what is found


@pytest.mark.parametrize("batch", [1, 16, 540, 1000])
def test_the_digits_against_plain_numpy(digits: Digits, batch: int) -> None:
    found = evaluated(open_dataset("digits", "test"), digits.fp32, digits.int8, batch=batch)
    flat, classes = vectors("test")
    logits, coarse = (flat @ w.T + digits.bias for w in (digits.weights, digits.coarse_weights))
    answers, coarse_answers = logits.argmax(axis=1), coarse.argmax(axis=1)
    right, coarse_right = answers == classes, coarse_answers == classes
    assert 0.85 < right.mean() < 0.95  # it is a network worth judging

    first, second = found.artifacts
    assert (found.images, found.classes, found.unusable) == (540, 10, ())
    assert first.top1.images == right.sum()
    assert first.top1.share == right.mean()
    assert (first.top1.low, first.top1.high) == wilson_interval(int(right.sum()), 540)
    five_best = np.argsort(-logits, axis=1)[:, :5]
    assert first.top5 is not None
    assert first.top5.images == (five_best == classes[:, None]).any(axis=1).sum()
    assert first.against_first is None

    against = second.against_first
    assert against is not None
    assert second.top1.images == coarse_right.sum()
    assert against.agreement.images == (answers == coarse_answers).sum()
    assert against.lost == (right & ~coarse_right).sum()
    assert against.gained == (coarse_right & ~right).sum()
    assert against.gained - against.lost == second.top1.images - first.top1.images
    wanted_db = 10 * np.log10((logits**2).sum() / ((logits - coarse) ** 2).sum())
    assert against.sqnr_db == pytest.approx(wanted_db, abs=1e-3)


def test_classes_are_matched_by_name_and_inputs_by_type(digits: Digits) -> None:
    found = evaluated(open_dataset("digits", "test"), digits.fp32, digits.uint8)
    first, second = found.artifacts
    assert second.top1 == first.top1
    assert second.against_first is not None
    assert second.against_first.agreement.share == 1
    assert second.against_first.mcnemar_p == 1
    assert second.against_first.sqnr_db is not None
    assert second.against_first.sqnr_db > 90


def test_no_noise_and_no_signal(digits: Digits, tmp_path: Path) -> None:
    dataset = open_dataset("digits", "test").limited(20)
    copy = write_linear(tmp_path / "b.onnx", digits.weights, digits.bias, DIGITS)
    zero = write_linear(tmp_path / "0.onnx", np.zeros((10, 192)), np.zeros(10), DIGITS)
    against = evaluated(dataset, digits.fp32, copy).artifacts[1].against_first
    assert against is not None
    assert against.sqnr_db is None
    zeros = sum(one.label == 0 for one in dataset.examples)  # of equal logits the first is best
    assert evaluated(dataset, zero).artifacts[0].top1.images == zeros
    with pytest.raises(BenchError, match=r"0\.onnx answers nothing but zeros"):
        evaluated(dataset, zero, copy)


# --- images


def example(name: str, label: int, reads: list[str], colour: int = 0) -> Example:
    def read() -> Image.Image:
        reads.append(name)
        if name.startswith("bad"):
            raise InferenceError(f"{name} is a broken image")
        return Image.new("RGB", (8, 8), (colour, colour, colour))

    return Example(name, read, label)


def ten_classes(*examples: Example) -> Dataset:
    return Dataset(tuple("0123456789"), examples)


def test_images_are_decoded_once_and_broken_ones_left_out_of_all(
    digits: Digits, tmp_path: Path
) -> None:
    reads: list[str] = []
    names = ["bad 1", "a", "b", "bad 2", "c", "bad 3"]
    dataset = ten_classes(*(example(name, 1, reads) for name in names))
    small = write_linear(
        tmp_path / "small.onnx", np.ones((10, 48)), np.arange(10.0), Preprocessing(crop=(4, 4))
    )
    told: list[tuple[int, int]] = []
    found = evaluated(dataset, digits.fp32, small, batch=2, report=lambda *done: told.append(done))
    assert reads == names
    assert found.images == 3
    assert [one.name for one in found.unusable] == ["bad 1", "bad 2", "bad 3"]
    assert found.unusable[0].reason == "bad 1 is a broken image"
    assert told == [(done, 6) for done in range(7)]


def test_no_image_is_usable(digits: Digits) -> None:
    dataset = ten_classes(example("bad 1", 0, []), example("bad 2", 0, []))
    with pytest.raises(BenchError, match="none of the 2 images of data is usable: bad 1 is a"):
        evaluated(dataset, digits.fp32)


# --- throughput


class FakeSession:
    """An engine that takes 1 ms an image, 100 ms for each batch of another size than the last."""

    engine = "fake"
    engine_version = "1"
    remarks = NO_REMARKS
    inputs = ()

    def __init__(self) -> None:
        self.now_ns = 0
        self.batches: list[int] = []

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        (images,) = inputs
        changed = self.batches[-1:] != [len(images)]
        self.batches.append(len(images))
        self.now_ns += len(images) * 1_000_000 + changed * 100_000_000
        return np.ones((len(images), 10), np.float32)


@pytest.mark.parametrize(("count", "batches"), [(7, [3, 3, 3, 1]), (6, [3, 3, 3]), (2, [2, 2])])
def test_throughput_is_of_full_batches_after_the_first(
    digits: Digits, count: int, batches: list[int]
) -> None:
    session = FakeSession()
    dataset = ten_classes(*(example(str(index), 0, []) for index in range(count)))
    found = evaluated(
        dataset,
        digits.fp32,
        batch=3,
        clock=lambda: session.now_ns,
        opener=lambda path, threads, engine: session,
    )
    assert session.batches == batches
    assert found.artifacts[0].images_per_second == pytest.approx(1000)
    assert found.artifacts[0].engine == "fake"
    assert found.artifacts[0].top1.images == count  # of equal logits the first is the answer


# --- classes

WIDE = np.ones((3, 12))
Make = Callable[..., Artifact]


@pytest.fixture
def three(tmp_path: Path) -> Make:
    """Makes an artifact for three classes."""

    def make(labels: Sequence[str] | None, **options: str) -> Artifact:
        chosen = None if labels is None else tuple(labels)
        crop = Preprocessing(crop=(2, 2))
        return write_linear(tmp_path / "m.onnx", WIDE, np.zeros(3), crop, chosen, **options)

    return make


@pytest.mark.parametrize(
    ("labels", "classes", "columns"),
    [
        (["a", "b", "c"], ("a", "b", "c"), (0, 1, 2)),
        (["c", "a", "b"], ("a", "b", "c"), (1, 2, 0)),
        (None, ("x", "y", "z"), (0, 1, 2)),
        (
            ["n00000003 tench, fish", "n00000001", "n00000002 crane"],
            ("n00000001", "n00000002", "n00000003"),
            (1, 2, 0),
        ),
    ],
)
def test_classes_that_match(
    three: Make, labels: list[str] | None, classes: tuple[str, ...], columns: tuple[int, ...]
) -> None:
    candidate = match(three(labels), classes)
    assert candidate.columns == columns
    logits = np.array([[10, 20, 30]], np.float32)
    assert candidate.by_class(logits).tolist() == [[10.0 * (column + 1) for column in columns]]


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (
            ["a", "b", "c"],
            ("a", "b", "d"),
            "the data has a class 'd', which .*m.onnx does not know",
        ),
        (["a", "b", "c"], ("a", "b"), "m.onnx knows a class 'c', which the data does not have"),
        (["a", "b", "b"], ("a", "b"), "two classes named 'b'"),
        (["crane", "b", "c"], ("n00000001", "b", "c"), "a class 'n00000001'"),
        (None, ("a", "b"), "tells 3 classes apart and the data has 2"),
    ],
)
def test_classes_that_do_not_match(
    three: Make, labels: list[str] | None, classes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        match(three(labels), classes)


def test_one_output_alone_has_no_accuracy(tmp_path: Path) -> None:
    crop = Preprocessing(crop=(2, 2))
    one = write_linear(tmp_path / "one.onnx", np.ones((1, 12)), np.zeros(1), crop, ("dog",))
    with pytest.raises(BenchError, match=r"one\.onnx has one output alone, .* its best"):
        match(one, ("dog",))


def test_numbers_are_said_to_be_in_their_order_where_no_labels_are(three: Make) -> None:
    numbers, names = (Dataset(labels, ()) for labels in (("2", "10", "11"), ("a", "b", "c")))
    artifact = three(None)
    (line,) = remarks(numbers, [artifact], "photos")
    assert line == "photos: its classes are numbers, and taken in the order of numbers"
    assert remarks(names, [artifact], "photos") == []
    assert remarks(numbers, [three(["2", "10", "11"])], "photos") == []


def test_random_weights_have_no_accuracy(three: Make) -> None:
    with pytest.raises(InferenceError, match="useless for recognising"):
        match(three(None, origin="random"), ("a", "b", "c"))


def test_top_5_of_no_more_than_5_classes_says_nothing(three: Make) -> None:
    dataset = Dataset(("a", "b", "c"), (example("image", 0, []),))
    found = evaluated(dataset, three(None))
    assert found.artifacts[0].top5 is None
    assert "top-5" not in printed(found)


# --- table and progress


def printed(found: Evaluation, width: int = 80) -> str:
    stream = io.StringIO()
    show(found, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_the_table_fits_80_columns(digits: Digits) -> None:
    dataset = open_dataset("digits", "test")
    ticks: Iterator[int] = iter(range(0, 10**12, 10**7))
    artifacts = [digits.fp32, digits.int8, digits.uint8]
    text = printed(evaluated(dataset, *artifacts, clock=lambda: next(ticks)))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[:2] == [
        "data: 540 images, 10 classes, batch 16, threads 1",
        "shufflenet-v1-g3-x0.25-64x64-1a2b3c4d-onnx",
    ]
    (fp32,) = (line for line in lines if line.startswith("fp32"))
    assert " ".join(fp32.split()) == "fp32 90.4 (87.6-92.6) 99.6 (98.7-99.9) - - - 1600"
    (uint8,) = (line for line in lines if line.startswith("uint8in"))
    assert uint8.split()[5:7] == ["100.0", "1.000"]
    assert "not a latency" in text


def test_the_table_of_one_artifact_compares_nothing(digits: Digits) -> None:
    found = evaluated(open_dataset("digits", "test").limited(50), digits.fp32)
    text = printed(found)
    assert "SQNR" not in text
    assert "McNemar" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_names_without_a_difference_and_a_small_p(digits: Digits) -> None:
    found = evaluated(open_dataset("digits", "test").limited(50), digits.fp32, digits.int8)
    first, second = found.artifacts
    assert second.against_first is not None
    surely = replace(second.against_first, mcnemar_p=1e-9, sqnr_db=None)
    found = replace(
        found,
        artifacts=(
            replace(first, path="a/net.onnx"),
            replace(second, path="[b]/net.onnx", against_first=surely),
        ),
    )
    text = printed(found, width=200)
    assert "a/net.onnx" in text
    (line,) = (line for line in text.splitlines() if line.startswith("[b]/net.onnx"))
    assert "<0.001" in line
    assert "exact" in line


def test_progress_in_a_log_and_on_a_terminal() -> None:
    for terminal in (False, True):
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=terminal, width=80)
        with progress(console) as report:
            for done in range(11):
                report(done, 10)
        if terminal:
            assert "10/10" in stream.getvalue()
        else:
            assert stream.getvalue().splitlines() == [
                f"evaluated {done} of 10 images" for done in (3, 5, 8, 10)
            ]


# --- the command

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Command:
    """Run the command in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["shufflenet-eval", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfdbinary.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out.decode(), err.decode()

    return run


def photographs(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 30), "gray").save(path)


def test_the_command(command: Command, digits: Digits, tmp_path: Path) -> None:
    arguments = (digits.fp32.path, digits.int8.path, "--data", "digits", "--batch", "100")
    code, out, err = command(*arguments, "--out", "found.json")
    assert code == 0, err
    assert out.startswith("digits: 540 images, 10 classes, batch 100, threads 1\n")
    assert err.splitlines()[-1] == "evaluated 540 of 540 images"
    kept = json.loads((tmp_path / "found.json").read_text())
    code, out, _ = command(*arguments, "--json")
    assert code == 0
    document = json.loads(out)
    assert [one.pop("images_per_second") > 0 for one in document["artifacts"]] == [True, True]
    assert [one.pop("images_per_second") > 0 for one in kept["artifacts"]] == [True, True]
    assert document == kept
    assert list(tmp_path.iterdir()) == [tmp_path / "found.json"]


def test_a_limit_takes_some_of_each_class(command: Command, digits: Digits) -> None:
    code, out, _ = command(digits.fp32.path, "--data", "digits", "--limit", "10", "--json")
    assert code == 0
    assert json.loads(out)["images"] == 10


def test_a_folder_with_broken_images(command: Command, three: Make, tmp_path: Path) -> None:
    photographs(tmp_path / "data", "a/1.jpg", "b/1.png", "c/1.png", "c/2.png")
    for index in range(5):
        (tmp_path / f"data/b/broken{index}.jpg").write_bytes(b"\xff\xd8\xff")
    code, out, err = command(three("cab").path, "--data", "data")
    assert code == 0, err
    assert "data: 4 images, 5 left out, 3 classes" in out
    told = [line for line in err.splitlines() if line.startswith("left out: ")]
    assert len(told) == 4
    assert "broken0.jpg is" in told[0]
    assert told[3] == "left out: 2 more images that cannot be read"


def test_a_real_network_in_both_formats(
    command: Command, tiny_artifacts: Path, tmp_path: Path
) -> None:
    """ShuffleNet with random weights, said to be a file's; the data are 1000 folders."""
    paths = []
    for format_ in ("onnx", "tflite"):
        source = tiny_artifacts / f"shufflenet-v1-g3-x0.25-32x32-fp32.{format_}"
        paths.append(tmp_path / source.name)
        paths[-1].write_bytes(source.read_bytes())
        manifest = read_manifest(manifest_path(source))
        trained = replace(manifest, weights=replace(manifest.weights, origin="file"))
        write_manifest(manifest_path(paths[-1]), trained)
    for index in range(1000):
        (tmp_path / f"data/{index:03}").mkdir(parents=True)
    for index in range(9):
        pixels = np.random.RandomState(index).randint(0, 256, (8, 9, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"data/{index:03}/1.png")
    code, out, err = command(*paths, "--data", "data", "--batch", "4", "--threads", "2", "--json")
    assert code == 0, err
    against = json.loads(out)["artifacts"][1]["against_first"]
    assert against["agreement"]["images"] == 9
    assert against["sqnr_db"] > 80


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.onnx", "--data", "digits"], 2, "no artifact none.onnx"),
        (["m.onnx", "m.onnx", "--data", "digits"], 2, "is the same artifact as"),
        (["m.onnx", "--data", "nowhere"], 2, "no data 'nowhere'"),
        (["m.onnx", "--data", "empty"], 2, "empty holds no images"),
        (["m.onnx", "--data", "broken"], 1, "none of the 1 images of broken is usable"),
        (["m.onnx", "--data", "digits"], 1, "the data has a class '0'"),
        (["m.onnx"], 2, "--data"),
        (["--data", "digits"], 2, "ARTIFACT"),
        (["m.onnx", "--data", "digits", "--limit", "0"], 2, "'--limit'"),
        (["m.onnx", "--data", "digits", "--batch", "0"], 2, "'--batch'"),
        (["m.onnx", "--data", "digits", "--threads", "257"], 2, "'--threads'"),
        (["m.onnx", "--data", "digits", "--out", "no/o.json"], 2, "there is no folder no"),
        (["m.onnx", "--data", "digits", "--bogus"], 2, "No such option"),
    ],
)
def test_what_is_wrong_is_one_line(
    command: Command, three: Make, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    three("abc")
    (tmp_path / "empty/a").mkdir(parents=True)
    photographs(tmp_path / "broken", "a/1.png", "b/.none.png", "c/.none.png")
    (tmp_path / "broken/a/1.png").write_bytes(b"broken")
    found, out, err = command(*arguments)
    *before, last = err.splitlines()
    assert (found, out) == (code, "")
    assert last.startswith("error: ")
    assert message in last
    told = ["broken: without images: b, c", "broken: left out: 2 hidden or the system's"]
    assert before in ([], [*told, "evaluated 1 of 1 images"])


def test_random_weights_are_refused_before_the_data_is_read(
    command: Command, three: Make, tmp_path: Path
) -> None:
    three(None, origin="random")
    code, out, err = command("m.onnx", "--data", "nowhere")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "random weights, useless for recognising anything" in err


@pytest.mark.parametrize(("missing", "extra"), [("PIL", "images"), ("sklearn", "train")])
def test_what_is_not_installed(
    command: Command, digits: Digits, monkeypatch: pytest.MonkeyPatch, missing: str, extra: str
) -> None:
    for name in [missing, *(name for name in sys.modules if name.startswith(f"{missing}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    code, out, err = command(digits.fp32.path, "--data", "digits")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"pip install 'shufflenet-deploy[{extra}]'" in err


def test_what_is_imported(digits: Digits, tmp_path: Path) -> None:
    script = """
import sys
from shufflenet_deploy.bench.commands.evaluate import main
try:
    main()
finally:
    names = {"numpy", "PIL", "onnxruntime", "rich.progress", "torch", "onnx"}
    print(sorted(names & sys.modules.keys()), file=sys.stderr)
"""
    photographs(tmp_path, *(f"{digit}/1.png" for digit in range(10)))
    for arguments, imported in (
        (["--help"], []),
        ([digits.fp32.path, "--data", "."], ["PIL", "numpy", "onnxruntime", "rich.progress"]),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1] == str(imported)
