"""Files: names that are no UTF-8, outputs that overwrite inputs, pictures that are programs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from PIL import EpsImagePlugin, Image

from cases import Bench, finish, reached
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.preprocess import read_image

NOT_UTF8 = b"caf\xe9"
_POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n"


def test_a_model_below_a_folder_that_is_no_utf8_is_measured(bench: Bench, own_onnx: Path) -> None:
    folder = bench.folder / os.fsdecode(NOT_UTF8)
    own_onnx.parent.rename(folder)
    said = bench.measure(folder / own_onnx.name)
    reached(own_onnx.stem in said.stdout + said.stderr, said.stderr)
    said.require_success()


@pytest.mark.slow
def test_an_export_to_a_folder_that_is_no_utf8_has_no_traceback(bench: Bench) -> None:
    small = ("--scale", "0.25", "--input-size", "32", "--format", "tflite")
    said = bench.run("shufflenet-export", *small, "--out", b"\xff")
    reached((bench.folder / os.fsdecode(b"\xff")).exists() or said.code, said.stderr)
    if said.code:
        said.require_one_line()


def test_a_stdout_that_takes_ascii_alone_is_written_to(bench: Bench, small_onnx: Path) -> None:
    plain = Bench.in_folder(bench.folder, PYTHONIOENCODING="ascii")
    said = plain.measure(small_onnx)
    reached((bench.folder / "results.json").exists(), said.stderr)
    said.require_success()
    assert said.stdout.isascii()


def test_a_closed_stdout_has_no_traceback(bench: Bench) -> None:
    said = bench.run("shufflenet-bench", "devices", by=("sh", "-c", 'exec "$@" >&-', "sh"))
    reached(not said.stdout, "stdout was open")
    assert "Traceback" not in said.stderr
    assert "AttributeError" not in said.stderr


@pytest.mark.parametrize(
    "kind",
    [
        "model",
        "picture",
    ],
)
def test_results_never_replace_what_is_none(kind: str, bench: Bench, own_onnx: Path) -> None:
    victim = own_onnx
    if kind == "picture":
        victim = bench.folder / "photo.png"
        Image.new("RGB", (8, 8)).save(victim)
    before = victim.read_bytes()
    said = bench.measure(own_onnx, out=str(victim))
    reached(victim.name in said.stdout + said.stderr, said.stderr)
    assert victim.read_bytes() == before
    said.require_one_line()


def test_a_picture_that_is_postscript_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\n[ \"$1\" = --version ] || : >'{ran}'\n")
    ghostscript.chmod(0o755)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", str(ghostscript))
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(_POSTSCRIPT)
    with pytest.raises(OSError), Image.open(photo) as image:  # noqa: PT011 - or any of its kinds
        image.load()
    reached(ran.exists(), "Pillow starts nothing by itself")
    ran.unlink()
    with pytest.raises(InferenceError, match=r"photo\.jpg"):
        read_image(photo)
    assert not ran.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["TERM", "HUP"]
)
def test_an_export_that_is_ended_leaves_nothing(
    number: signal.Signals, code: int, bench: Bench
) -> None:
    small = ("--scale", "0.25", "--input-size", "32", "--out", "out")
    export = bench.start("shufflenet-export", *small)
    out = bench.folder / "out"
    while export.poll() is None and not (out.exists() and any(out.iterdir())):
        time.sleep(0.05)
    begun = export.poll() is None
    export.send_signal(number)
    said = finish(export, 60.0)
    reached(begun, f"the export was over: {said.stderr}")
    assert not out.exists() or not any(out.iterdir())
    assert said.code == code
    assert said.last_line.startswith("error: ")


@pytest.mark.slow
def test_what_a_killed_export_left_is_removed_by_the_next(bench: Bench) -> None:
    left = bench.folder / "out/.export-4194304"  # above any process's number
    left.mkdir(parents=True)
    (left / "half.onnx").write_bytes(b"half")
    small = ("--scale", "0.25", "--input-size", "32", "--format", "onnx", "--out", "out")
    said = bench.run("shufflenet-export", *small)
    reached(said.code == 0, said.stderr)
    assert not left.exists()
