"""What is loaded, what is checked of it, and what is refused."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.files import sha256
from shufflenet_deploy.runtime.manifest import (
    Footprint,
    Manifest,
    manifest_path,
    read_manifest,
    write_manifest,
)
from shufflenet_deploy.runtime.worker.loading import Loaded, load, self_check
from shufflenet_deploy.runtime.worker.spec import Skipped


def _load(path: Path, available_bytes: int | None = None) -> Loaded | Skipped:
    return load(path, 1, itertools.count().__next__, lambda: available_bytes)


def _loaded(path: Path) -> Loaded:
    loaded = _load(path)
    assert isinstance(loaded, Loaded)
    return loaded


def test_loading_and_the_first_run_are_timed_apart(artifact: Path) -> None:
    times = iter([100, 107, 200, 223])
    loaded = load(artifact, 1, times.__next__, lambda: None)
    assert isinstance(loaded, Loaded)
    assert (loaded.load_ns, loaded.first_run_ns) == (7, 23)


@pytest.fixture
def alone(copied: Path) -> Path:
    """An artifact as another tool would leave it: without a manifest."""
    manifest_path(copied).unlink()
    return copied


def test_a_file_without_a_manifest_is_loaded_all_the_same(alone: Path) -> None:
    loaded = _loaded(alone)
    assert loaded.path == alone
    assert loaded.sha256 == sha256(alone)
    assert loaded.difference is None
    nchw, nhwc = (1, 3, 32, 32), (1, 32, 32, 3)
    assert loaded.arrays[0].shape == (nchw if alone.suffix == ".onnx" else nhwc)
    assert loaded.arrays[0].dtype == np.float32
    np.testing.assert_array_equal(loaded.arrays[0], _loaded(alone).arrays[0])
    output = loaded.run()
    assert isinstance(output, np.ndarray)
    assert output.shape == (1, 1000)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match=r"no artifact .*gone\.onnx") as refused:
        _load(tmp_path / "gone.onnx")
    assert refused.value.usage


@pytest.mark.parametrize("name", ["model.pb", "model", "model.onnx.part"])
def test_a_file_that_no_engine_runs_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InferenceError, match=f"no engine runs '{name}'"):
        _load(tmp_path / name)


def test_a_file_without_a_manifest_that_is_broken_is_refused_in_one_line(alone: Path) -> None:
    alone.write_bytes(alone.read_bytes()[:-100])
    with pytest.raises(InferenceError, match=f"does not load {re.escape(str(alone))}") as refused:
        _load(alone)
    assert "\n" not in str(refused.value)


def _with_footprint(path: Path, footprint: Footprint | None) -> None:
    _change(path, lambda manifest: msgspec.structs.replace(manifest, footprint=footprint))


def test_what_needed_more_memory_than_there_is_is_skipped(copied: Path) -> None:
    _with_footprint(copied, Footprint(load_time_ms=1.0, peak_memory_bytes=4 * 10**8))
    skipped = Skipped(artifact=str(copied), needed_bytes=4 * 10**8, available_bytes=4 * 10**8 - 1)
    assert _load(copied, available_bytes=4 * 10**8 - 1) == skipped
    assert isinstance(_load(copied, available_bytes=4 * 10**8), Loaded)


def test_what_nobody_measured_is_skipped_by_its_size(copied: Path, alone: Path) -> None:
    needed = 2 * alone.stat().st_size + 10**8
    skipped = Skipped(artifact=str(alone), needed_bytes=needed, available_bytes=needed - 1)
    assert _load(alone, available_bytes=needed - 1) == skipped
    assert isinstance(_load(alone, available_bytes=needed), Loaded)


def test_where_the_memory_is_not_known_everything_is_loaded(copied: Path) -> None:
    _with_footprint(copied, Footprint(load_time_ms=1.0, peak_memory_bytes=2**62))
    assert isinstance(_load(copied, available_bytes=None), Loaded)


def test_what_is_broken_is_refused_and_not_skipped(copied: Path) -> None:
    copied.write_bytes(copied.read_bytes()[:-1])
    with pytest.raises(InferenceError, match="cut off or replaced"):
        _load(copied, available_bytes=0)


def _change(artifact: Path, change: Callable[[Manifest], Manifest]) -> None:
    path = manifest_path(artifact)
    write_manifest(path, change(read_manifest(path)))


def _with_check(manifest: Manifest, **changes: object) -> Manifest:
    check = msgspec.structs.replace(manifest.self_check, **changes)
    return msgspec.structs.replace(manifest, self_check=check)


def test_a_model_that_computes_something_else_is_refused(copied: Path) -> None:
    def move_one_logit(manifest: Manifest) -> Manifest:
        check = manifest.self_check
        moved = check.logits[0] + 2 * check.tolerance * check.deviation
        return _with_check(manifest, logits=(moved, *check.logits[1:]))

    _load(copied)
    _change(copied, move_one_logit)
    with pytest.raises(InferenceError, match=r"something else here .* allowed is 1e-04") as refused:
        _load(copied)
    assert copied.name in str(refused.value)


def test_a_model_that_answers_another_input_is_refused(copied: Path) -> None:
    _change(copied, lambda manifest: _with_check(manifest, seed=manifest.self_check.seed + 1))
    with pytest.raises(InferenceError, match="something else here"):
        _load(copied)


def test_a_model_that_does_not_take_its_input_is_refused_by_name(copied: Path) -> None:
    def enlarge(manifest: Manifest) -> Manifest:
        options = msgspec.structs.replace(manifest.options, input_size=(64, 64))
        return msgspec.structs.replace(manifest, options=options)

    _change(copied, enlarge)
    with pytest.raises(InferenceError, match=f"{copied.name} does not run on "):
        _load(copied)


def test_the_self_check_measures_the_largest_difference_over_the_deviation(artifact: Path) -> None:
    manifest = read_manifest(manifest_path(artifact))
    check = manifest.self_check
    logits = np.array([check.logits])
    assert self_check(manifest, logits) == 0
    logits[0, 10] -= 0.5 * check.tolerance * check.deviation
    logits[0, 20] += 0.9 * check.tolerance * check.deviation
    assert self_check(manifest, logits) == pytest.approx(0.9 * check.tolerance)
    logits[0, 30] += 1.1 * check.tolerance * check.deviation
    with pytest.raises(InferenceError, match=r"differ by 1\.1e-04, allowed is 1e-04"):
        self_check(manifest, logits)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_self_check_refuses_what_is_not_a_number(artifact: Path, value: float) -> None:
    manifest = read_manifest(manifest_path(artifact))
    logits = np.array([manifest.self_check.logits])
    logits[0, 999] = value
    with pytest.raises(InferenceError, match=f"differ by {abs(value)}"):
        self_check(manifest, logits)


@pytest.mark.parametrize("shape", [(1, 999), (2, 1000), (1000,), (1, 1)])
def test_the_self_check_refuses_another_number_of_logits(
    artifact: Path, shape: tuple[int, ...]
) -> None:
    with pytest.raises(InferenceError, match="where its manifest has 1000 logits"):
        self_check(read_manifest(manifest_path(artifact)), np.zeros(shape, np.float32))


def test_an_engine_that_does_not_run_the_file_is_refused(artifact: Path) -> None:
    other = {".onnx": "litert", ".tflite": "onnxruntime"}[artifact.suffix]
    with pytest.raises(
        InferenceError, match=f"no engine '{other}' runs .*: choose from "
    ) as caught:
        load(artifact, 1, itertools.count().__next__, lambda: None, other)
    assert caught.value.usage
