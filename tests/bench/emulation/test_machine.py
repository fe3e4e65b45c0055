"""The real engines under the real emulator."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from emulator import require_emulator
from shufflenet_deploy.bench.emulation.count import count
from shufflenet_deploy.bench.emulation.machine import READINGS, Machine
from shufflenet_deploy.bench.emulation.processors import PROCESSORS, find_processor
from shufflenet_deploy.bench.emulation.readings import parse
from shufflenet_deploy.runtime.engines import engine_for
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.manifest import manifest_path
from shufflenet_deploy.runtime.worker.counting import Request
from shufflenet_deploy.runtime.worker.spec import Answer, Spec

pytestmark = pytest.mark.network

FEW = Request(artifact="", settle=1, empty=1, inferences=1)


@pytest.fixture(scope="module", autouse=True)
def _emulator() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        require_emulator(monkeypatch)
        yield


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine(find_processor(None), ("onnxruntime", "litert"), lambda line: None)
    yield made
    made.close()
    assert not made.folder.exists()


@pytest.fixture
def model(tiny_artifacts: Path) -> Path:
    (path,) = tiny_artifacts.glob("*x0.25*.tflite")
    return path


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if at else name
        for at, name in enumerate(PROCESSORS)
    ],
)
def test_it_says_that_it_is_the_processor_with_one_core(name: str) -> None:
    machine = Machine(PROCESSORS[name], (), lambda line: None)
    try:
        command = machine.command("shufflenet_deploy.runtime")
        ended = subprocess.run(command, input=b"{}", capture_output=True, check=True)
    finally:
        machine.close()
    environment = msgspec.json.decode(ended.stdout, type=Answer).environment
    assert environment.architecture == "aarch64"
    assert environment.processor == name.title()  # Cortex-A72
    assert environment.cores == 1
    assert environment.board is None


@pytest.mark.parametrize("suffix", [pytest.param("onnx", marks=pytest.mark.slow), "tflite"])
def test_it_computes_what_the_exporting_host_did_and_counts_alike_twice(
    tiny_artifacts: Path, suffix: str
) -> None:
    (path,) = tiny_artifacts.glob(f"*x0.25*.{suffix}")
    counted = []
    for caches in (False, True):
        machine = Machine(find_processor("cortex-a76"), (engine_for(path).name,), lambda line: None)
        try:
            found = count(machine, machine.place(path), caches)
        finally:
            machine.close()
        assert found.counting.difference is not None
        assert found.counting.difference < 1e-4
        counted.append(found.counted)
    without, cached = counted
    # Of real networks all but 0.05%; of one so small the engine's own chores are a larger part.
    assert without.instructions == pytest.approx(cached.instructions, rel=0.0005, abs=10_000)
    # 0.5 million multiply-adds, four at once.
    assert 200_000 < without.instructions < 5_000_000
    assert without.cache is None
    assert cached.cache
    assert cached.instructions > cached.cache.accesses > cached.cache.l1_misses
    assert cached.cache.l1_misses >= cached.cache.l2_misses
    assert cached.cache.caches == PROCESSORS["cortex-a76"].caches


def test_an_inference_between_marks_is_what_more_inferences_add(
    machine: Machine, model: Path
) -> None:
    """The recipe without marks: the count of 2N runs less that of N, by N."""
    placed, runs = machine.place(model), 20
    totals = []
    for inferences in (runs, 2 * runs):
        asked = msgspec.structs.replace(FEW, settle=20, inferences=inferences)
        found = count(machine, placed, request=asked)
        # The last mark is close to the end, and the first far from the beginning.
        totals.append(parse((machine.folder / READINGS).read_text())[-1].instructions)
    added = (totals[1] - totals[0]) / runs
    # The marks themselves, and the loop around them, come on top in this recipe.
    assert 0 < added - found.counted.instructions < 40_000


def test_a_worker_runs_there_as_on_any_device(machine: Machine, model: Path) -> None:
    spec = Spec(artifacts=(machine.place(model),), rounds=0)
    ended = subprocess.run(
        machine.command("shufflenet_deploy.runtime"),
        input=msgspec.json.encode(spec),
        capture_output=True,
        check=True,
    )
    (answer,) = msgspec.json.decode(ended.stdout, type=Answer).models
    assert answer.difference is not None
    assert answer.remarks == {"delegate_partitions": 1}


def test_one_that_computes_something_else_is_no_count(
    machine: Machine, model: Path, tmp_path: Path
) -> None:
    copy = tmp_path / model.name
    copy.write_bytes(model.read_bytes())
    manifest = json.loads(manifest_path(model).read_bytes())
    manifest["self_check"]["logits"][0] += 1.0
    manifest_path(copy).write_text(json.dumps(manifest))
    with pytest.raises(BenchError, match="computes something else here"):
        count(machine, machine.place(copy), request=FEW)


def test_a_model_that_does_not_load_is_one_line(machine: Machine, tmp_path: Path) -> None:
    broken = tmp_path / "broken; echo.tflite"
    broken.write_bytes(b"nothing")
    with pytest.raises(BenchError, match=r"litert does not load .*broken; echo.tflite") as raised:
        count(machine, machine.place(broken), request=FEW)
    assert "\n" not in str(raised.value)


def test_it_ends_where_it_is_told_to(machine: Machine, model: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        count(machine, machine.place(model), stop=stop)


def test_a_processor_that_is_not_known_is_wrong_usage() -> None:
    with pytest.raises(BenchError, match="cortex-a53, cortex-a72") as raised:
        find_processor("cortex-m0")
    assert raised.value.usage
