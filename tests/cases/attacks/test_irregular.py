"""Pipes and devices where files belong, and files of somebody else's where ours go."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cases import Bench, reached

BRIEF = ("--rounds", "1", "--processes", "1")
SMALL = ("--scale", "0.25", "--input-size", "32", "--format", "onnx")


@pytest.fixture
def pipes(bench: Bench, small_onnx: Path) -> Bench:
    """A folder full of pipes, and a model whose manifest is one."""
    for name in ("p.onnx", "p.json", "p.pth", "p.npy", "p.png", "own.onnx.json"):
        os.mkfifo(bench.folder / name)
    shutil.copy(small_onnx, bench.folder / "own.onnx")
    for folder in ("photos", "config/shufflenet-deploy"):
        (bench.folder / folder).mkdir(parents=True)
    os.mkfifo(bench.folder / "photos/a.png")
    return bench


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("bench", ("p.onnx", *BRIEF)),
        ("bench", ("own.onnx", *BRIEF)),
        ("bench", ("MODEL", *BRIEF, "--out", "p.json")),
        ("bench", ("MODEL", *BRIEF, "--out", os.devnull)),
        ("bench", ("MODEL", *BRIEF, "--out", "p.json", "--resume")),
        ("bench", ("MODEL", *BRIEF, "--input", "p.npy")),
        ("bench", ("MODEL", *BRIEF, "--eval", "p.json")),
        ("bench", ("MODEL", "--end-to-end", "p.png")),
        ("bench", ("show", "p.json")),
        ("bench", ("compare", "p.json", "p.json")),
        ("bench", ("verify", "own.onnx")),
        ("report", ("p.json",)),
        ("export", (*SMALL, "--weights", "p.pth")),
        ("export", (*SMALL, "--out", "p.json")),
        ("export", (*SMALL, "--precision", "int8", "--calibration", "photos")),
        ("train", ("--data", "digits", "--weights", "p.pth", "--out", "new.pth")),
        ("train", ("--data", "digits", "--out", "p.pth")),
    ],
    ids=lambda value: value if isinstance(value, str) else "_".join(value),
)
def test_a_pipe_is_one_line(
    command: str, words: tuple[str, ...], pipes: Bench, small_onnx: Path
) -> None:
    there = [small_onnx if word == "MODEL" else word for word in words]
    line = pipes.run(f"shufflenet-{command}", *there, seconds=60.0).require_one_line()
    reached(any(word in line for word in ("p.", "own.onnx", "photos", os.devnull)), "another error")
    assert (pipes.folder / "p.json").is_fifo()
    assert Path(os.devnull).is_char_device()


@pytest.mark.slow
def test_a_table_of_boards_that_is_a_pipe_is_one_line(pipes: Bench) -> None:
    os.mkfifo(pipes.folder / "config/shufflenet-deploy/devices.toml")
    said = pipes.run("shufflenet-bench", "devices", seconds=60.0)
    assert "it is a pipe and not a file" in said.require_one_line()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model", "manifest"])
def test_an_export_replaces_nothing_of_somebody_elses(name: str, bench: Bench) -> None:
    first = bench.run("shufflenet-export", *SMALL, "--out", "out")
    reached(first.code == 0, first.stderr)
    (model,) = (bench.folder / "out").glob("*.onnx")
    manifest = model.with_name(model.name + ".json")
    victim = model if name == "model" else manifest
    if name == "model":
        manifest.unlink()
    victim.write_text('{"somebody": "else\'s"}')
    line = bench.run("shufflenet-export", *SMALL, "--out", "out").require_one_line()
    assert victim.name in line
    assert victim.read_text() == '{"somebody": "else\'s"}'
    victim.unlink()
    bench.run("shufflenet-export", *SMALL, "--out", "out").require_success()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["new.pth", "new.last.pth", "new.csv"])
def test_a_training_replaces_nothing_of_somebody_elses(name: str, bench: Bench) -> None:
    victim = bench.folder / name
    victim.write_text("somebody else's")
    small = ("--data", "digits", "--scale", "0.25", "--input-size", "32", "--epochs", "1")
    line = bench.run("shufflenet-train", *small, "--out", "new.pth").require_one_line()
    assert name in line
    assert victim.read_text() == "somebody else's"


@pytest.mark.slow
def test_an_evaluation_and_counts_replace_nothing_of_somebody_elses(
    bench: Bench, small_onnx: Path
) -> None:
    victim = bench.folder / "victim.json"
    victim.write_text('{"somebody": "else\'s"}')
    for command, words in (
        ("shufflenet-eval", (small_onnx, "--data", "digits")),
        ("shufflenet-bench", ("counts", small_onnx)),
    ):
        line = bench.run(command, *words, "--out", victim).require_one_line()
        assert "victim.json" in line
        assert victim.read_text() == '{"somebody": "else\'s"}'
