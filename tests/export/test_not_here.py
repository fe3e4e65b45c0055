"""Artifacts that this machine cannot run: written, said to be so, and checked elsewhere."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shufflenet_deploy.export import cost
from shufflenet_deploy.export.cost import Cost
from shufflenet_deploy.export.pipeline import export
from shufflenet_deploy.export.request import Request
from shufflenet_deploy.export.tables import NOT_RUN, artifacts_table, costs_table
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.engines import ENGINES, Opener, why_not_here
from shufflenet_deploy.runtime.manifest import manifest_path
from shufflenet_deploy.runtime.worker.client import run_worker
from shufflenet_deploy.runtime.worker.spec import Spec

SMALL = ("--scale", "0.25", "--input-size", "32")


def _absent() -> Opener:
    raise ImportError("No module named 'onnxruntime'")


@pytest.fixture
def other_machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Have this process be on a machine for which ONNX Runtime is not made, while it exports."""
    row = replace(ENGINES["onnxruntime"], machines=("riscv128",))
    monkeypatch.setitem(ENGINES, "onnxruntime", row)
    return monkeypatch


def test_an_engine_that_is_there_runs_its_artifacts_here() -> None:
    assert [why_not_here(Path(name)) for name in ("a.onnx", "a.tflite")] == [None, None]


def test_it_is_said_why_an_artifact_does_not_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ENGINES["onnxruntime"]
    monkeypatch.setitem(ENGINES, "onnxruntime", replace(row, machines=("riscv128",)))
    assert (why_not_here(Path("a.onnx")) or "").startswith("ONNX Runtime does not run on ")
    monkeypatch.setitem(ENGINES, "onnxruntime", replace(row, open=_absent))
    assert why_not_here(Path("a.onnx")) == (
        "ONNX Runtime is not installed (No module named 'onnxruntime')"
    )


def test_what_was_not_run_has_no_figures_and_can_be_checked_where_it_runs(
    other_machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    request = _request(tmp_path)
    weighing = cost.Weighing(None, 2.0)
    artifacts = export(request, lambda line: None, weighing)
    costs = weighing.costs
    other_machine.undo()
    for artifact in artifacts:
        manifest = Artifact.open(artifact.path).manifest
        assert manifest.verification is None
        assert manifest.footprint is None
        (model,) = run_worker(Spec(artifacts=(str(artifact.path),), rounds=0)).models
        assert model.difference is not None  # within what the manifest allows
    assert _column(artifacts_table(artifacts), 3) == [NOT_RUN, NOT_RUN]
    (only,) = costs
    assert (only.sqnr_db, only.latency_ratio) == (None, None)
    assert _column(costs_table(costs), 2) == ["-", NOT_RUN]


def _request(out: Path) -> Request:
    """For artifacts that ONNX Runtime runs."""
    return Request(
        scale=0.25,
        input_size=(32, 32),
        formats=("onnx",),
        precisions=("fp32", "int8"),
        out=out,
    )


def _column(table: object, index: int) -> list[str]:
    return list(table.columns[index].cells)  # type: ignore[attr-defined]


def test_int8_that_was_not_run_has_no_accuracy(
    other_machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del other_machine
    fp32, int8 = export(_request(tmp_path), lambda line: None)
    compared: Cost = cost.compare(fp32, int8, "digits")
    assert compared.accuracy is None


def test_without_the_engine_the_command_exports_and_says_how_to_check(tmp_path: Path) -> None:
    """In a process whose row of the engine says that it is not made for this machine."""
    program = (
        "from dataclasses import replace\n"
        "from shufflenet_deploy.export.__main__ import main\n"
        "from shufflenet_deploy.runtime.engines import ENGINES\n"
        "ENGINES['litert'] = replace(ENGINES['litert'], machines=('riscv128',))\n"
        "main()\n"
    )
    out = tmp_path / "it's out"
    done = subprocess.run(
        [sys.executable, "-c", program, *SMALL, "--format", "tflite", "--out", str(out)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.count(NOT_RUN) == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("not run here: "))
    assert "LiteRT does not run on " in line
    command = line.partition("check what it computes by ")[2]
    *words, option, device = shlex.split(command)
    assert (words[:-1], option, device) == (["shufflenet-bench", "verify"], "--device", "NAME")
    artifact = Path(words[-1])
    assert json.loads(manifest_path(artifact).read_text())["verification"] is None
    cache = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    checked = subprocess.run(
        [sys.executable, "-m", "shufflenet_deploy.bench", "verify", str(artifact), "--json"],
        env=cache, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (row,) = json.loads(checked.stdout)["artifacts"]
    assert row["verdict"] == "same"
