"""Accuracy and speed in one table, by the real commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from digit_artifacts import Digits
from waiting import HANG_SECONDS

BRIEF = ("--processes", "1", "--rounds", "2")


def run(module: str, folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"shufflenet_deploy.bench{module}", *map(str, words)],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )


def done(module: str, folder: Path, *words: str | Path) -> str:
    ended = run(module, folder, *words)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def rights(folder: Path) -> list[int]:
    models = json.loads((folder / "results.json").read_text())["models"]
    return [model["accuracy"]["right"] for model in models]


@pytest.fixture(scope="module")
def evaluated(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an evaluation of both artifacts."""
    folder = tmp_path_factory.mktemp("evaluated")
    paths = (digits.fp32.path, digits.int8.path)
    done(".commands.evaluate", folder, *paths, "--data", "digits", "--out", "eval.json")
    return folder


def test_artifacts_are_evaluated_after_they_were_measured(digits: Digits, tmp_path: Path) -> None:
    paths = (digits.fp32.path, digits.int8.path)
    said = done("", tmp_path, *paths, *BRIEF, "--data", "digits", "--budget-ms", "1000")
    assert "top-1" in said
    assert "of 540 images of digits" in said
    assert "(measured on digits)" in said
    assert all(450 < right < 540 for right in rights(tmp_path))


def test_an_evaluation_that_was_made_before_is_taken(
    digits: Digits, evaluated: Path, tmp_path: Path
) -> None:
    paths = (digits.fp32.path, digits.int8.path)
    there = evaluated / "eval.json"
    done("", tmp_path, *paths, *BRIEF, "--eval", there)
    judged = json.loads(there.read_text())["artifacts"]
    assert rights(tmp_path) == [one["top1"]["images"] for one in judged]


def test_a_report_takes_one_too(digits: Digits, evaluated: Path, tmp_path: Path) -> None:
    done("", tmp_path, digits.fp32.path, digits.int8.path, *BRIEF)
    there = evaluated / "eval.json"
    done(".commands.report", tmp_path, "--eval", there, "--out", "r.md", "--out", "r.csv")
    assert "of 540 images of digits" in (tmp_path / "r.md").read_text()
    assert ",digits,540," in (tmp_path / "r.csv").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "digits", "--eval", "eval.json"), "--data and --eval: give one of them"),
        (("--eval", "none.json"), "cannot read the evaluation none.json"),
        (("--eval", "wrong.json"), "wrong.json holds evaluation of version None"),
        (("--data", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_is_measured(
    words: tuple[str, ...], message: str, digits: Digits, tmp_path: Path
) -> None:
    (tmp_path / "wrong.json").write_text("{}")
    ended = run("", tmp_path, digits.fp32.path, *BRIEF, *words)
    assert ended.returncode in (1, 2)
    assert message in ended.stderr.splitlines()[-1]
    assert not (tmp_path / "results.json").exists()
