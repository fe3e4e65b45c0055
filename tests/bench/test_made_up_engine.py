"""A row in each of the two tables is all that commands need to know of an engine and a format."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linear_artifacts import write_linear
from made_up_engine import with_made_up_engine
from shufflenet_deploy.bench.provision import Part, bundle, wheels
from shufflenet_deploy.bench.provision.wheels import Platform, rules
from shufflenet_deploy.bench.results import Results, Timed, read
from shufflenet_deploy.runtime.engines import ENGINES, Engine, open_session
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.machine.environment import read_environment
from shufflenet_deploy.runtime.manifest import Preprocessing

QUARTER = "shufflenet-v1-g3-x0.25-32x32-fp32"
SHORT = ("--processes", "2", "--rounds", "2")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a module of this project, with the made-up rows, in a folder of its own."""
    folder = tmp_path_factory.mktemp("made-up")
    environment = with_made_up_engine(folder / "rows") | {"COLUMNS": "200"}

    def run(module: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", f"shufflenet_deploy.{module}", *map(str, words)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    run.folder = folder  # type: ignore[attr-defined]
    return run


@pytest.fixture(scope="module")
def measured(run: Run, tiny_artifacts: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One file on two engines: what the command says, and its results."""
    out = run.folder / "results.json"  # type: ignore[attr-defined]
    words = ("--engine", "second", "--engine", "onnxruntime", "--out", out, *SHORT)
    return run("bench", tiny_artifacts / f"{QUARTER}.onnx", *words), out


@pytest.mark.slow
def test_one_file_is_measured_on_two_engines_side_by_side(
    measured: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, out = measured
    assert done.returncode == 0, done.stderr
    project = version("shufflenet-deploy")
    theirs = version("onnxruntime")
    results = read(out)
    assert [model.engine for model in results.models] == ["second", "onnxruntime"]
    assert len({model.sha256 for model in results.models}) == 1
    probes = [model.probe for model in results.models if model.probe]
    assert [probe.engine for probe in probes] == ["second", "onnxruntime"]
    assert [probe.engine_version for probe in probes] == [project, theirs]
    assert [probe.remarks for probe in probes] == [{"tiles": 7, "kernels": "slow"}, {}]
    assert all(
        isinstance(run, Timed) and [model.member for model in run.models] == [0, 1]
        for run in results.runs
    )
    assert f"second {project}, 32x32, fp32, 1 thread" in done.stdout
    assert f"onnxruntime {theirs}, 32x32, fp32, 1 thread" in done.stdout
    label = QUARTER.removesuffix("-32x32-fp32")
    assert f"{label} (onnxruntime {theirs}) / {label} (second {project})" in done.stdout


def test_its_own_doubt_and_remedy_are_told(
    measured: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, _ = measured
    assert (
        f"warning: {QUARTER}.onnx on second runs in 7 tiles of fp32: give it one tile"
        in done.stdout
    )


@pytest.mark.slow
def test_going_on_needs_the_same_engines(
    run: Run, measured: tuple[subprocess.CompletedProcess[str], Path], tiny_artifacts: Path
) -> None:
    _, out = measured
    words = (tiny_artifacts / f"{QUARTER}.onnx", *SHORT, "--resume", "--out", out)
    again = run("bench", "--engine", "second", "--engine", "onnxruntime", *words)
    assert again.returncode == 0, again.stderr
    other = run("bench", "--engine", "onnxruntime", "--engine", "second", *words)
    assert other.returncode == 2
    assert "not the same measurement" in other.stderr
    assert "the engines" in other.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--engine", "third"), "--engine 'third': choose from onnxruntime, litert, second"),
        (("--engine", "litert"), "--engine litert: it runs .tflite files, and there are none here"),
        (
            ("--engine", "second", "--engine", "litert"),
            "--engine litert: it runs .tflite files, and there are none here",
        ),
        (("--engine", "second", "--profile"), "--profile: Second has no profiler"),
    ],
)
def test_what_cannot_be_is_one_line(
    run: Run, tiny_artifacts: Path, words: tuple[str, ...], message: str
) -> None:
    done = run("bench", tiny_artifacts / f"{QUARTER}.onnx", *words, "--out", "none.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {message}\n"


def test_a_file_that_none_of_the_named_engines_runs_is_not_left_out_unsaid(
    run: Run, tiny_artifacts: Path
) -> None:
    files = [tiny_artifacts / f"{QUARTER}.{suffix}" for suffix in ("onnx", "tflite")]
    done = run("bench", *files, "--engine", "second", "--out", "none.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"error: --engine: none of those named runs {files[1]}; litert does\n")


def test_its_packages_are_part_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_environment().package_versions
    monkeypatch.setitem(ENGINES, "made", _row("made", "made-up"))
    assert list(read_environment().package_versions) == [*before, "made-up"]
    monkeypatch.setitem(ENGINES, "own", _row("own"))
    assert list(read_environment().package_versions) == [*before, "made-up"]


def test_its_wheel_goes_to_a_device_without_what_no_worker_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(ENGINES, "made", _row("made", "made-up", "older-name"))
    monkeypatch.setitem(ENGINES, "own", _row("own"))
    fetched: list[str] = []

    def download(names: list[str], *rest: object) -> list[Path]:
        fetched.extend(names)
        return []

    part = Part(key="k", title="t", archive=tmp_path, unpacked_bytes=0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bundle, "download", download)
    monkeypatch.setattr(bundle, "project_part", lambda: part)
    monkeypatch.setattr(bundle, "wheels_part", lambda wheels: part)
    platform = Platform((3, 11), "aarch64", (2, 36))
    bundle.package_parts(platform, ("own", "made", "litert"), lambda line: None)
    assert fetched == [*bundle.LIBRARIES, "ai-edge-litert", "made-up"]
    assert "made_up/ballast/*" in rules(Path("made_up-1.0-py3-none-any.whl"))
    assert "made_up/ballast/*" not in rules(Path("numpy-1.0-py3-none-any.whl"))
    assert wheels.distribution(Path("made_up-1.0-py3-none-any.whl")) == ("made-up", "1.0")


def _row(name: str, *distributions: str) -> Engine:
    def absent() -> object:
        raise ImportError("No module named 'made_up'")

    return Engine(
        name=name,
        title=name.title(),
        distributions=distributions,
        open=absent,  # type: ignore[arg-type]
        unneeded=("made_up/ballast/*",),
    )


def test_results_of_the_same_engine_have_no_addition_to_their_names(
    make_results: Callable[..., Results], make_model: Callable[..., object]
) -> None:
    (model,) = make_results(make_model(scale=0.5, format="tflite")).models
    assert model.called == model.name


@pytest.mark.slow
def test_images_are_judged_and_classified_by_the_engine_that_is_named(run: Run) -> None:
    folder = run.folder / "images"  # type: ignore[attr-defined]
    colours = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}
    for name, colour in colours.items():
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (9, 7), colour).save(folder / name / "1.png")
    geometry = Preprocessing(crop=(4, 4), mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0))
    sums = np.tile(np.eye(3)[:, ::-1], 16) / 4  # channels are red, green, blue
    path = folder.parent / "colours.onnx"
    write_linear(path, sums, np.zeros(3), geometry, tuple(colours))
    words = (path, "--data", folder, "--engine", "second", "--engine", "onnxruntime")
    done = run("bench.commands.evaluate", *words)
    assert done.returncode == 0, done.stderr
    assert "on second" in done.stdout
    document = json.loads(run("bench.commands.evaluate", *words, "--json").stdout)
    assert [one["engine"] for one in document["artifacts"]] == ["second", "onnxruntime"]
    assert document["artifacts"][1]["against_first"]["agreement"]["share"] == 1
    named = run("runtime.images.command", path, folder / "red" / "1.png", "--engine", "second")
    assert named.returncode == 0, named.stderr
    assert "red" in named.stdout.splitlines()[1]
    refused = run("runtime.images.command", path, folder / "red" / "1.png", "--engine", "litert")
    assert refused.returncode == 2
    assert refused.stderr == (
        "error: no engine 'litert' runs colours.onnx: choose from onnxruntime, second\n"
    )


def test_one_that_is_not_installed_is_told_of_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tiny_artifacts: Path
) -> None:
    monkeypatch.setitem(ENGINES, "made", _row("made", "made-up", "older-name"))
    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], engines=("onnxruntime", "made")))
    with pytest.raises(InferenceError) as caught:
        open_session(tiny_artifacts / f"{QUARTER}.onnx", engine="made")
    assert str(caught.value) == (
        "Made is not installed (No module named 'made_up'): pip install made-up"
    )


def test_every_engine_that_a_format_names_has_a_row() -> None:
    for format_ in FORMATS.values():
        assert format_.engines
        assert all(name in ENGINES for name in format_.engines)
    assert {name for row in FORMATS.values() for name in row.engines} == set(ENGINES)
