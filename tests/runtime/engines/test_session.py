"""Both engines behind one protocol, and what each refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
import pytest

from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.engines import ENGINES, open_session
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.seeded import seeded_images, to_layout
from shufflenet_deploy.runtime.worker.spec import Spec

_ENGINES = {"onnx": ("onnxruntime", "onnxruntime"), "tflite": ("litert", "ai-edge-litert")}
"""Format -> the engine's name and its distribution."""


def test_logits_of_a_batch_are_those_of_its_images_alone(artifact: Path) -> None:
    layout = Artifact.open(artifact).manifest.input.layout
    images = to_layout(seeded_images(4, (32, 32), seed=5), layout)
    session = open_session(artifact)
    alone = np.concatenate([session.run(images[i : i + 1]) for i in range(4)])
    assert alone.shape == (4, 1000)
    assert alone.dtype == np.float32
    assert alone.std(axis=0).max() > 1e-3  # or the next comparisons say nothing
    np.testing.assert_allclose(session.run(images), alone, atol=1e-5)
    np.testing.assert_allclose(session.run(images[:3]), alone[:3], atol=1e-5)
    np.testing.assert_array_equal(session.run(images[:1]), alone[:1])


def test_logits_stay_as_they_are_when_the_session_runs_again(artifact: Path) -> None:
    layout = Artifact.open(artifact).manifest.input.layout
    first, second = to_layout(seeded_images(2, (32, 32), seed=5), layout)
    session = open_session(artifact)
    logits = session.run(first[None])
    before = logits.copy()
    session.run(second[None])
    np.testing.assert_array_equal(logits, before)


def test_a_session_says_what_runs_it(artifact: Path) -> None:
    session = open_session(artifact)
    engine, distribution = _ENGINES[artifact.suffix[1:]]
    assert session.engine == engine
    assert session.engine_version == version(distribution)
    assert session.remarks == ({"delegate_partitions": 1} if engine == "litert" else {})


def test_a_session_describes_its_input(artifact: Path) -> None:
    manifest = Artifact.open(artifact).manifest
    (described,) = open_session(artifact).inputs
    assert described.dtype == manifest.input.dtype == "float32"
    assert described.shape[1:] == manifest.input.shape[1:]
    assert not isinstance(described.shape[0], int)  # the batch is free
    if artifact.suffix == ".onnx":
        assert described.name == manifest.input.name


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")
def test_a_session_has_the_threads_it_was_given(artifact: Path) -> None:
    """Counted in fresh processes, since engines keep threads of earlier sessions."""
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from shufflenet_deploy.runtime.engines import opener_for\n"
        "path = Path(sys.argv[1])\n"
        "opener = opener_for(path)\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "session = opener(path, int(sys.argv[2]))\n"
        "print(len(os.listdir('/proc/self/task')) - before)\n"
    )
    for threads in (1, 3):
        more = subprocess.run(
            [sys.executable, "-c", program, str(artifact), str(threads)],
            check=True,
            capture_output=True,
        ).stdout
        assert int(more) == threads - 1  # the caller is one of them


@pytest.mark.parametrize("name", ["model.pt", "model", "model.onnx.json", ".onnx"])
def test_a_file_that_no_engine_runs_is_refused_by_name(name: str) -> None:
    with pytest.raises(InferenceError) as refused:
        open_session(Path(name))
    assert str(refused.value) == f"no engine runs {name!r}: known are .onnx, .tflite"
    assert refused.value.usage


@pytest.mark.parametrize("part", [0, 0.001, 0.5, 0.9999])
def test_a_truncated_model_is_refused_in_one_line(copied: Path, part: float) -> None:
    """As it is where there is no manifest that would tell."""
    whole = copied.read_bytes()
    copied.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(InferenceError, match="does not load") as refused:
        open_session(copied)
    assert str(copied) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_model_that_is_not_there_is_refused(artifact: Path, tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match=r"does not load .*gone"):
        open_session(tmp_path / f"gone{artifact.suffix}")


@pytest.mark.parametrize(
    ("missing", "advice"),
    [
        (
            ["onnxruntime"],
            "ONNX Runtime is not installed \\(.*onnxruntime.*\\): pip install onnxruntime",
        ),
        (
            ["ai_edge_litert", "tflite_runtime"],
            "LiteRT is not installed \\(.*ai_edge_litert.*\\): pip install ai-edge-litert",
        ),
    ],
)
def test_an_engine_that_is_not_installed_is_named_with_its_remedy(
    tiny_artifacts: Path, missing: list[str], advice: str
) -> None:
    suffix = ".onnx" if missing == ["onnxruntime"] else ".tflite"
    spec = Spec(artifacts=tuple(str(p) for p in tiny_artifacts.glob(f"*{suffix}")))
    program = (
        "import runpy, sys\n"
        f"sys.modules.update(dict.fromkeys({missing}))\n"  # to import these now fails
        "sys.argv = ['worker']\n"
        "runpy.run_module('shufflenet_deploy.runtime', run_name='__main__')\n"
    )
    worker = subprocess.run(
        [sys.executable, "-c", program],
        input=msgspec.json.encode(spec).decode(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert worker.returncode == 1
    assert worker.stdout == ""
    *progress, last = worker.stderr.splitlines()
    assert all(line.startswith("{") for line in progress)
    assert re.fullmatch(f"error: {advice}", last)


def test_no_engine_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys, shufflenet_deploy.runtime.worker.run\n"
        "print([name for name in ('onnxruntime', 'ai_edge_litert') if name in sys.modules])\n"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert printed.stdout == b"[]\n"


def test_every_engine_is_tested_here() -> None:
    assert {engine for engine, _ in _ENGINES.values()} == set(ENGINES)
