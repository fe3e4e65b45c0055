"""A second engine for a format is a module, a row and a name: one file is measured on both."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from extended_copy import ExtendedCopy
from shufflenet_deploy.bench.results import Timed, read

BRIEF = ("--rounds", "4", "--processes", "1")


@pytest.fixture(scope="module")
def measured(copy: ExtendedCopy, digits: tuple[Path, Path]) -> tuple[str, Path]:
    """One file on both engines: what the command shows, and its results."""
    out = copy.folder / "both.json"
    engines = ("--engine", "onnxruntime", "--engine", "second")
    return copy.done("shufflenet-bench", digits[1], *engines, *BRIEF, "--out", out), out


def test_one_file_is_measured_on_both_side_by_side(measured: tuple[str, Path]) -> None:
    shown, out = measured
    results = read(out)
    assert [model.engine for model in results.models] == ["onnxruntime", "second"]
    assert len({model.sha256 for model in results.models}) == 1
    (run,) = results.runs
    assert isinstance(run, Timed)
    first, second = (len(model.bursts) for model in run.models)
    assert first == second > 0
    theirs, own = (model.probe.engine_version for model in results.models if model.probe)
    assert own == "0.1.0"
    for title in (f"onnxruntime {theirs}", f"second {own}"):
        assert f"{title}, 64x64, fp32, 1 thread" in shown
    network = "shufflenet-v1-g3-x0.25"
    assert f"{network} (second {own}) / {network} (onnxruntime {theirs})" in shown


def test_comparison_and_report_tell_them_apart(
    copy: ExtendedCopy, digits: tuple[Path, Path], measured: tuple[str, Path]
) -> None:
    _, out = measured
    compared = copy.done("shufflenet-bench", "compare", out, out).splitlines()
    name = digits[1].name
    rows = {line.rpartition("  ")[0].split("  ")[0] for line in compared if line.startswith(name)}
    assert rows == {name, f"{name} on second"}
    table = copy.folder / "both.csv"
    copy.done("shufflenet-report", out, "--out", table)
    engines = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8-sig")))
    assert [row["engine"].split()[0] for row in engines] == ["onnxruntime", "second"]


def test_it_answers_as_the_first_does(copy: ExtendedCopy, digits: tuple[Path, Path]) -> None:
    shown = copy.done("shufflenet-bench", "verify", digits[1], "--engine", "second")
    (line,) = [line for line in shown.splitlines() if digits[1].name in line]
    assert "second 0.1.0" in line
    assert line.split()[-1] == "same"
