"""A format with an engine of its own is a folder, a module and three rows: all commands take it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from arm_root import MODEL, ArmBoard, arm_board
from extended_copy import (
    FOLDERS,
    ExtendedCopy,
    added_files,
    added_lines,
    changes,
    files_below,
)
from host_cache import shared_bundle, shared_folder
from shufflenet_deploy.bench.results import Results, Timed, read
from shufflenet_deploy.runtime.manifest import read_manifest

BRIEF = ("--rounds", "4", "--processes", "1")
_BOARDS = """\
[pi]
title = "Raspberry Pi 4"
kind = "ssh"
host = "board"
ssh_config = "{config}"
identity = ["Raspberry Pi 4"]
"""


def test_nothing_else_is_changed(copy: ExtendedCopy) -> None:
    new, changed = changes(copy)
    assert (
        new
        == added_files()
        == {
            "export/formats/plainnet/__init__.py",
            "export/formats/plainnet/emitter.py",
            "runtime/engines/plainnet.py",
            "runtime/engines/second.py",
        }
    )
    formats = changed.pop("runtime/formats.py")
    row = [line for line in formats if '"onnxruntime"' in line]
    assert row == [
        '-            engines=("onnxruntime",),',
        '+            engines=("onnxruntime", "second"),',
    ]
    assert [line for line in formats if line not in row] == added_lines("runtime/formats.py")
    assert changed == {
        name: added_lines(name)
        for name in ("runtime/engines/__init__.py", "export/formats/__init__.py")
    }


def test_what_is_installed_is_the_four_folders_and_no_test(copy: ExtendedCopy) -> None:
    assert files_below(copy.installed) == {
        f"{folder}/{name}" for folder in FOLDERS for name in files_below(copy.source / folder)
    }


def test_it_is_exported_and_verified(plainnet: Path) -> None:
    manifest = read_manifest(plainnet.with_name(f"{plainnet.name}.json"))
    files = [plainnet, plainnet.with_suffix(".npz")]
    assert [file.name for file in manifest.files] == [path.name for path in files]
    assert manifest.size_bytes == sum(path.stat().st_size for path in files)
    assert sorted(path.suffix for path in plainnet.parent.iterdir()) == [
        ".json",
        ".npz",
        ".plainnet",
    ]
    assert manifest.verification
    assert manifest.verification.engine == "plainnet"
    assert manifest.verification.difference < 1e-4
    assert {rewrite.name for rewrite in manifest.rewrites} == {
        "absorb_shuffle",
        "shuffle_as_gather",
    }
    assert manifest.footprint


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("--network", "alexnet", "--input-size", "64"),
        ("--network", "shufflenet-v1-se", "--scale", "0.5", "--lowering", "plain"),
        ("--network", "mobilenet-v1", "--scale", "0.25", "--precision", "fp16", "--io", "uint8"),
    ],
)
def test_every_operator_is_exported_and_verified(
    copy: ExtendedCopy, tmp_path: Path, words: tuple[str, ...]
) -> None:
    small = () if "--input-size" in words else ("--input-size", "32")
    copy.done("shufflenet-export", "--format", "plainnet", *words, *small, "--out", tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_int8_which_its_emitter_does_not_make_is_refused(copy: ExtendedCopy) -> None:
    done = copy.run("shufflenet-export", "--format", "plainnet", "--precision", "int8")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "error: plainnet has no int8: leave out --precision int8"
    )


def test_it_is_measured_compared_and_reported(copy: ExtendedCopy, plainnet: Path) -> None:
    first, second = copy.folder / "first.json", copy.folder / "second.json"
    shown = copy.done("shufflenet-bench", plainnet, *BRIEF, "--out", first)
    assert "plainnet 0.1.0, 32x32, fp32, 1 thread" in shown
    copy.done("shufflenet-bench", plainnet, *BRIEF, "--out", second)
    _assert_measured(read(first), plainnet)

    compared = copy.done("shufflenet-bench", "compare", first, second)
    assert plainnet.name in compared
    outs = [copy.folder / f"report.{suffix}" for suffix in ("html", "md", "csv")]
    copy.done("shufflenet-report", first, *(word for out in outs for word in ("--out", out)))
    page, text, table = (out.read_text(encoding="utf-8-sig") for out in outs)
    assert "plainnet 0.1.0" in page
    assert "plainnet 0.1.0" in text
    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["format"], row["engine"]) == ("plainnet", "plainnet 0.1.0")
    assert float(row["latency_ms"]) > 0
    assert row["remarks"].startswith("steps=")


def _assert_measured(results: Results, artifact: Path) -> None:
    (model,) = results.models
    assert (model.name, model.format, model.engine) == (artifact.name, "plainnet", "plainnet")
    assert model.probe
    assert model.probe.difference is not None
    assert model.probe.difference < 1e-4
    (run,) = results.runs
    assert isinstance(run, Timed)
    assert run.models[0].bursts
    assert results.ended == "done"


def test_its_answers_are_checked(copy: ExtendedCopy, plainnet: Path) -> None:
    (line,) = [
        line
        for line in copy.done("shufflenet-bench", "verify", plainnet).splitlines()
        if plainnet.name in line
    ]
    assert "plainnet 0.1.0" in line
    assert line.split()[-1] == "same"


def test_a_profile_which_its_engine_does_not_offer_is_refused(
    copy: ExtendedCopy, plainnet: Path
) -> None:
    assert copy.refused("shufflenet-bench", plainnet, "--profile") == (
        "error: --profile: Plainnet has no profiler"
    )


def test_its_files_are_known_to_belong_together(
    copy: ExtendedCopy, plainnet: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.plainnet"
    alone.write_bytes(plainnet.read_bytes())
    assert copy.refused("shufflenet-bench", alone) == (
        f"error: {alone} needs alone.npz beside it, which is missing: copy it along with the model"
    )


def test_it_recognises_digits(copy: ExtendedCopy, digits: tuple[Path, Path]) -> None:
    words = (*digits, "--data", "digits", "--json")
    judged = json.loads(copy.done("shufflenet-eval", *words))["artifacts"]
    assert [one["engine"] for one in judged] == ["plainnet", "onnxruntime"]
    assert judged[0]["top1"]["share"] > 0.98
    assert judged[1]["against_first"]["agreement"]["share"] == 1
    image = copy.folder / "three.png"
    pixels = np.asarray(load_digits().images[3] * 255 / 16, np.uint8)
    Image.fromarray(pixels).save(image)
    shown = copy.done("shufflenet-classify", digits[0], image, "--top", "1")
    assert shown.split()[-1] == "3"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("shufflenet-export", "--help"), ("onnx | tflite | plainnet",)),
        (
            ("shufflenet-bench", "run", "--help"),
            ("onnx|tflite|plainnet", "onnxruntime|litert|plainnet|second", "and .plainnet"),
        ),
        (("shufflenet-bench", "counts", "--help"), ("onnx|tflite|plainnet", "and .plainnet")),
        (("shufflenet-bench", "verify", "--help"), ("onnxruntime|litert|plainnet|second",)),
        (("shufflenet-eval", "--help"), ("onnxruntime|litert|plainnet|second",)),
        (("shufflenet-classify", "--help"), ("onnxruntime|litert|plainnet|second",)),
        (("shufflenet-report", "--columns"), ("onnx or tflite or plainnet",)),
    ],
)
def test_help_names_it(copy: ExtendedCopy, words: tuple[str, ...], names: tuple[str, ...]) -> None:
    text = " ".join(copy.done(*words).replace("│", " ").split())
    assert [name for name in names if name not in text] == [], text


@pytest.fixture
def board(tmp_path: Path) -> Iterator[ArmBoard]:
    """A Raspberry Pi that was never seen before."""
    shared_bundle()  # what the host keeps for all boards, so that this one does not wait for it
    with arm_board(tmp_path / "board") as board:
        yield board


@pytest.mark.network
def test_it_is_measured_on_a_board_that_gets_no_more_than_runtime(
    copy: ExtendedCopy, plainnet: Path, board: ArmBoard, tmp_path: Path
) -> None:
    own = tmp_path / "shufflenet-deploy"
    own.mkdir()
    (own / "devices.toml").write_text(_BOARDS.format(config=board.ssh_config))
    out = tmp_path / "board.json"
    folders = {"XDG_CONFIG_HOME": tmp_path, "XDG_CACHE_HOME": shared_folder()}
    words = (plainnet, "--device", "pi", *BRIEF, "--out", out)
    done = copy.run("shufflenet-bench", *words, **folders)
    assert done.returncode == 0, done.stderr
    assert "plainnet 0.1.0, 32x32, fp32, 1 thread" in done.stdout
    results = read(out)
    _assert_measured(results, plainnet)
    assert results.environment.board == MODEL
    assert "onnxruntime" not in done.stderr
    assert "litert" not in done.stderr
    (package,) = board.home.glob(".cache/shufflenet-deploy/**/shufflenet_deploy")
    assert files_below(package) == {
        f"runtime/{name}" for name in files_below(copy.source / "runtime")
    }
