"""Models of other tools, as people have them: measured, or refused in one line that says why."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pytest
from onnx import TensorProto

import case_models as made
from cases import Bench, Said, reached
from fake_ssh import FakeSsh
from shufflenet_deploy.bench.devices.board import Board
from shufflenet_deploy.bench.devices.ssh import SshLink
from shufflenet_deploy.bench.devices.store import Store
from shufflenet_deploy.bench.devices.survey import look

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
SOURCE_PATH = re.compile(r"\S+\.(cc|h|cpp):\d+")


def worked(bench: Bench, *models: Path) -> Said:
    """A worker that loads and runs `models`. Whatever it refuses, it names one of them."""
    spec = {"artifacts": [path.name for path in models], "rounds": 0, "canary": False}
    said = bench.work(msgspec.json.encode(spec))
    if said.code:
        reached(any(path.stem in said.stderr for path in models), said.stderr)
    return said


def answers(said: Said) -> list[dict[str, Any]]:
    said.require_success()
    models: list[dict[str, Any]] = json.loads(said.stdout)["models"]
    return models


GOOD: dict[str, Callable[[Path], Path]] = {
    **dict.fromkeys(made.ODD_NAMES, made.convolution),
    "good.onnx": made.convolution,
    "named_batch.onnx": lambda path: made.convolution(path, ("batch_size", 3, 32, 32)),
    "unk.onnx": lambda path: made.convolution(path, ("unk__616", 3, 32, 32)),
    "batch8.onnx": lambda path: made.convolution(path, (8, 3, 32, 32)),
    "old_opset7.onnx": lambda path: made.convolution(path, opset=7, ir=3),
    "initialisers_as_inputs.onnx": lambda path: made.convolution(path, opset=9, ir=3, listed=True),
    "external.onnx": lambda path: made.external(path, "external.onnx.data"),
    "sequence.onnx": made.sequence,
    "ids8.onnx": lambda path: made.embedding(path, TensorProto.UINT8, 300),
}


def test_models_that_engines_take_are_measured_whatever_their_names(bench: Bench) -> None:
    models = [make(bench.folder / name) for name, make in GOOD.items()]
    measured = answers(worked(bench, *models))
    assert [Path(model["artifact"]).name for model in measured] == list(GOOD)


@pytest.mark.parametrize(
    "names",
    [
        ["light_shufflenet.onnx", "light_squeezenet.onnx"],
        pytest.param(
            sorted(path.name for path in LIGHT.glob("*.onnx")),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["two", "all"],
)
def test_the_light_models_of_the_onnx_package_are_measured(names: list[str], bench: Bench) -> None:
    models = [Path(shutil.copy(LIGHT / name, bench.folder)) for name in names]
    reached(len(models) > 1, "the package has none")
    assert len(answers(worked(bench, *models))) == len(names)


@pytest.mark.parametrize(
    "make",
    [
        made.piper_voice,
        lambda path: made.embedding(path, TensorProto.INT64, 10),
        made.two_inputs,
    ],
    ids=["voice", "ids", "two_inputs"],
)
def test_models_without_images_as_their_input_are_measured(
    make: Callable[[Path], Path], bench: Bench
) -> None:
    assert len(answers(worked(bench, make(bench.folder / "model.onnx")))) == 1


def test_free_dimensions_are_given_by_an_option(bench: Bench) -> None:
    made.free_inside(bench.folder / "free.onnx")
    said = bench.measure("free.onnx", "--shape", "x=1x3x48x64")
    reached("free.onnx" in said.stderr or "--shape" in said.stderr, said.stderr)
    said.require_success()


def test_a_suffix_in_capitals_is_one(bench: Bench) -> None:
    assert len(answers(worked(bench, made.convolution(bench.folder / "UPPER.ONNX")))) == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(made.custom, r"MyOp", id="custom"),
        pytest.param(lambda path: made.convolution(path, ir=99), r"IR", id="ir"),
        pytest.param(
            lambda path: made.convolution(path, opset=99),
            r"[Oo]pset",
            id="opset",
        ),
        pytest.param(
            lambda path: made.external(path, "gone.data"),
            r"gone\.data",
            id="external_missing",
        ),
        pytest.param(made.fixed_inside, r"batch|shape", id="fixed_inside"),
        pytest.param(made.infinite_beside, r"not finite", id="infinite"),
    ],
)
def test_what_an_engine_does_not_take_is_refused_without_its_source(
    make: Callable[[Path], Path], words: str, bench: Bench
) -> None:
    path = make(bench.folder / "model.onnx")
    (bench.folder / "gone.data").unlink(missing_ok=True)
    line = worked(bench, path).require_one_line()
    assert re.search(words, line)
    assert not SOURCE_PATH.search(line)


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [("lfs", r"git.?lfs"), ("page", r"web page|html"), ("empty", r"empty")],
)
def test_what_is_no_model_is_called_what_it_is(
    kind: str, words: str, suffix: str, bench: Bench
) -> None:
    path = bench.folder / f"model.{suffix}"
    path.write_bytes(made.NO_MODELS[kind])
    line = worked(bench, path).require_one_line()
    assert re.search(words, line, re.IGNORECASE)


def test_two_trainings_whose_graphs_are_equal_are_two_models(bench: Bench) -> None:
    first = made.external(bench.folder / "v1/net.onnx", "net.onnx.data", seed=1)
    second = made.external(bench.folder / "v2/net.onnx", "net.onnx.data", seed=2)
    reached(first.read_bytes() == second.read_bytes(), "the graphs differ")
    said = bench.measure(first, second)
    reached("net.onnx" in said.stdout + said.stderr, said.stderr)
    said.require_success()


def test_two_models_of_one_name_are_told_apart(bench: Bench) -> None:
    made.convolution(bench.folder / "before/model.onnx")
    made.convolution(bench.folder / "after/model.onnx", (1, 3, 48, 48))
    said = bench.measure("before/model.onnx", "after/model.onnx")
    said.require_success()
    assert "before" in said.stdout
    assert "after" in said.stdout


def test_weights_beside_a_model_are_copied_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made.external(tmp_path / "net.onnx", "net.onnx.data")
    fake = FakeSsh.install(tmp_path)
    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    link = SshLink(Board(name="box", title="a box", kind="ssh", host="box"))
    try:
        there = Path(Store(link, look(link), lambda line: None).put(path))
    finally:
        link.close()
    reached(there.read_bytes() == path.read_bytes(), "not even the graph is there")
    data = there.with_name("net.onnx.data")
    assert data.exists()
    assert data.read_bytes() == path.with_name("net.onnx.data").read_bytes()
