"""Measuring under a profiler: with sessions that only count, then with the engines themselves."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shufflenet_deploy.runtime.engines import NO_REMARKS, litert_c, profiler_for
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.manifest import manifest_path, read_manifest
from shufflenet_deploy.runtime.preprocess import network_input
from shufflenet_deploy.runtime.profiling.kinds import Operator
from shufflenet_deploy.runtime.profiling.profile import OVERHEAD, Profile, by_kind
from shufflenet_deploy.runtime.profiling.trace import Trace
from shufflenet_deploy.runtime.seeded import seeded_pixels
from shufflenet_deploy.runtime.worker import profiler
from shufflenet_deploy.runtime.worker.profiler import WARM_UP, profile

IMAGES = np.zeros((1, 3, 32, 32), np.float32)


class Fake:
    """A clock, a session of 1000 ns a run, and a profiler that makes 1300 of them."""

    engine, engine_version = "fake", "1"
    remarks = NO_REMARKS

    def __init__(self, operators_ns: tuple[int, ...] = (600, 300), lost: int = 0) -> None:
        self.now = 0
        self.order = ""
        self.closed = False
        self._times = operators_ns
        self._lost = lost

    def clock(self) -> int:
        return self.now

    def session(self, path: Path, threads: int, engine: str | None) -> Fake:
        return self

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        self.order += "-"
        self.now += 1000
        return inputs[0]

    def profiler(self, path: Path, threads: int) -> FakeProfiler:
        return FakeProfiler(self)

    def trace(self, runs: int) -> Trace:
        operators = tuple(Operator(f"n{i}", "Conv", "1x1") for i in range(len(self._times)))
        return Trace(operators, (self._times,) * (runs - self._lost))


class FakeProfiler:
    def __init__(self, fake: Fake) -> None:
        self._fake = fake
        self._runs = 0

    def run(self, *inputs: NDArray[Any]) -> None:
        self._fake.order += "+"
        self._fake.now += 1300
        self._runs += 1

    def record(self) -> None:
        self._fake.now += 10**6  # not timed

    def finish(self) -> Trace:
        return self._fake.trace(self._runs)

    def close(self) -> None:
        self._fake.closed = True


def faked(monkeypatch: pytest.MonkeyPatch, fake: Fake, runs: int = 10) -> Profile:
    monkeypatch.setattr(profiler, "open_session", fake.session)
    monkeypatch.setattr(profiler, "profiler_for", lambda path, engine: fake.profiler)
    return profile(Path("network.onnx"), 1, runs, [IMAGES], fake.clock)


def test_with_and_without_the_profiler_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake()
    result = faked(monkeypatch, fake, runs=6)
    first, later = WARM_UP + 5, 3 + 5
    assert fake.order == "-" * first + "+" * first + "-" * later + "+" * later
    assert result.runs == 10  # the first number of whole bursts that is enough
    assert fake.closed


def test_both_times_and_their_ratio_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    result = faked(monkeypatch, Fake())
    assert (result.total_ns, result.unprofiled_ns, result.profiler_ratio) == (1300, 1000, 1.3)


def test_less_than_a_run_leaves_overhead(monkeypatch: pytest.MonkeyPatch) -> None:
    result = faked(monkeypatch, Fake((600, 300)))
    assert [operator.share for operator in result.operators] == [0.6, 0.3, 0.1]
    assert result.surplus_ns == 0


def test_more_than_a_run_is_the_profilers(monkeypatch: pytest.MonkeyPatch) -> None:
    result = faked(monkeypatch, Fake((850, 350)))
    assert result.surplus_ns == 100
    assert [operator.own_ns for operator in result.operators] == [750, 250, 0]


def test_a_trace_that_lacks_runs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(lost=1)
    with pytest.raises(InferenceError, match=r"has 24 of 25 runs .* ask for fewer runs"):
        faked(monkeypatch, fake)
    assert fake.closed


def test_no_runs_are_refused() -> None:
    with pytest.raises(InferenceError, match="0 runs make no profile") as caught:
        profile(Path("network.onnx"), 1, 0, [IMAGES])
    assert caught.value.usage


def images_for(path: Path) -> NDArray[Any]:
    manifest = read_manifest(manifest_path(path))
    return network_input(seeded_pixels(1, manifest.options.input_size, 0), manifest)


@pytest.fixture(scope="module")
def profiled(artifact: Path) -> Profile:
    return profile(artifact, 1, 5, [images_for(artifact)])


def test_a_shufflenet_has_the_operators_that_the_paper_gives_it(profiled: Profile) -> None:
    kinds = Counter(operator.kind for operator in profiled.operators)
    pooled = kinds["depthwise"] - 16
    assert kinds["grouped 1x1"] == 2 * 16 - 1  # the first of stage 2 is not grouped
    assert kinds["1x1"] == 1
    assert pooled in (0, 3)  # the shortcuts' average pooling, where it is a convolution
    assert kinds["convolution"] == kinds["dense"] == kinds[OVERHEAD] == 1
    assert kinds["concatenation"] == 3
    assert kinds["shuffle"] in (15, 3 * 15)  # a Gather, or three operators; the first is folded
    assert kinds["other"] == 0


def test_the_operators_bear_the_files_names(profiled: Profile) -> None:
    names = {operator.name for operator in profiled.operators}
    assert {"conv2d", "conv2d_1", "conv2d_37", "cat", "max_pool2d"} <= names


def test_times_are_of_something_and_shares_of_the_whole(profiled: Profile) -> None:
    assert profiled.unprofiled_ns > 0
    assert profiled.total_ns > 0
    assert profiled.profiler_ratio > 0
    assert sum(operator.median_ns for operator in profiled.operators[:-1]) > 0
    assert all(operator.own_ns >= 0 for operator in profiled.operators)
    assert sum(group.share for group in by_kind(profiled)) == pytest.approx(1)
    assert (profiled.threads, profiled.runs) == (1, 5)


def test_the_operators_of_a_run_lie_within_it(artifact: Path) -> None:
    """By this machine's clock, however long it takes for a run: so they are nanoseconds too."""
    images, elapsed_ns = images_for(artifact), []
    with closing(profiler_for(artifact)(artifact, 1)) as profiling:
        for _ in range(5):
            start = time.perf_counter_ns()
            profiling.run(images)
            elapsed_ns.append(time.perf_counter_ns() - start)
            profiling.record()
        trace = profiling.finish()
    rounding_ns = 1000 * len(trace.operators)  # engines count microseconds
    for operators_ns, run_ns in zip(trace.runs_ns, elapsed_ns, strict=True):
        assert 0 < sum(operators_ns) <= run_ns + rounding_ns


def test_two_threads(artifact: Path) -> None:
    assert profile(artifact, 2, 1, [images_for(artifact)]).threads == 2


def test_nothing_is_left_behind(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    profile(artifact, 1, 1, [images_for(artifact)])
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_behind_by_a_failure(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(InferenceError) as caught:
        profile(artifact, 1, 1, [images_for(artifact)[:, :2]])
    assert str(artifact) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x1c\x00\x00\x00TFL3" + b"\xff" * 100])
@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_a_broken_file_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    broken = tmp_path / f"broken.{suffix}"
    broken.write_bytes(content)
    with pytest.raises(InferenceError, match=r"does not load .*broken"):
        profile(broken, 1, 1, [IMAGES])


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match=r"no engine runs 'network\.pth'"):
        profile(tmp_path / "network.pth", 1, 1, [IMAGES])


@pytest.fixture
def tflite(tiny_artifacts: Path) -> Path:
    return tiny_artifacts / "shufflenet-v1-g3-x0.25-32x32-fp32.tflite"


def test_one_image_is_what_litert_profiles(tflite: Path) -> None:
    two = np.repeat(images_for(tflite), 2, axis=0)
    with pytest.raises(InferenceError, match=r"takes \(1, 32, 32, 3\) in 12288 bytes .* not \(2,"):
        profile(tflite, 1, 1, [two])


def test_an_untried_version_of_litert_is_not_called(
    tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert_c, "version", lambda name: "3.0.0")
    with pytest.raises(InferenceError, match=r"ai-edge-litert 3\.0\.0 has a C interface that"):
        profile(tflite, 1, 1, [images_for(tflite)])


def _of(structure: type[ctypes.Structure], *fields: Any) -> tuple[str, type[ctypes.Structure]]:
    """The structure's name, and one of that name with other fields."""
    name = structure.__name__
    return name, type(name, (ctypes.Structure,), {"_fields_": fields})


_EVENT, _TYPE = litert_c._Event._fields_, litert_c._TensorType._fields_
_DIFFERING = {
    "a shorter event": _of(litert_c._Event, *_EVENT[:-2]),
    "a longer event": _of(litert_c._Event, *_EVENT, ("more", ctypes.c_int64)),
    "other fields in as many bytes": _of(litert_c._Event, _EVENT[1], _EVENT[0], *_EVENT[2:]),
    "a shorter type": _of(litert_c._TensorType, *_TYPE[:-1]),
}


@pytest.mark.parametrize("what", _DIFFERING)
def test_structures_that_differ_from_the_librarys_are_noticed(
    what: str, tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, structure = _DIFFERING[what]
    monkeypatch.setattr(litert_c, name, structure)
    with pytest.raises(InferenceError, match=f"the {name[1:]} of ai-edge-litert .* is another"):
        profile(tflite, 1, 1, [images_for(tflite)])


def test_a_wheel_without_the_library_is_refused(
    tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert_c, "files", lambda name: [])
    with pytest.raises(InferenceError, match=r"ships no libLiteRt\.so"):
        profile(tflite, 1, 1, [images_for(tflite)])


def test_a_path_with_other_letters(tflite: Path, tmp_path: Path) -> None:
    copy = tmp_path / "Größe mit Leerzeichen.tflite"
    shutil.copy(tflite, copy)
    assert profile(copy, 1, 1, [images_for(tflite)]).artifact == str(copy)
