from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.bench.analysis.summarise import typical_ms
from shufflenet_deploy.bench.measure.native import PROCESSES, measure, parse
from shufflenet_deploy.bench.results import Model, Results
from shufflenet_deploy.runtime.errors import BenchError

NEW = """\
INFO: STARTING!
INFO: Initialized session in 2.5ms.
INFO: count=5 first=104384 curr=100291 min=99871 max=104384 avg=101293 std=1623 p5=1 median=2 p95=3

INFO: count=50 first=99861 curr=101005 min=99436 max=112203 avg=100400.5 std=1755 p5=99500 \
median=100100 p95=111000

INFO: Inference timings in us: Init: 2534, First inference: 104384, Warmup (avg): 101293, \
Inference (avg): 100400
"""
OLD = NEW.replace(" p5=99500 median=100100 p95=111000", "").replace(" p5=1 median=2 p95=3", "")


@dataclass
class Host:
    """A device whose benchmark_model says `says`."""

    says: str = NEW
    asked: list[tuple[str, str, int, int, Sequence[int]]] = field(default_factory=list)

    def put(self, path: Path) -> str:
        return f"/there/{path.name}"

    def run_native(
        self, runner: str, graph: str, threads: int, runs: int, cores: Sequence[int]
    ) -> str:
        self.asked.append((runner, graph, threads, runs, cores))
        return self.says


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    path = tmp_path / "benchmark_model"
    path.write_bytes(b"a program")
    return path


def test_the_last_figures_are_those_of_the_measurement() -> None:
    found = parse(NEW, 0, 1, 2, "k")
    assert (found.runs, found.median_ms, found.mean_ms) == (50, 100.1, 100.4005)
    assert (found.init_ms, found.first_ms) == (2.534, 104.384)
    assert (found.minimum_ms, found.maximum_ms, found.deviation_ms) == (99.436, 112.203, 1.755)


def test_an_older_one_has_no_median() -> None:
    found = parse(OLD, 0, 1, 0, "k")
    assert found.median_ms is None
    assert typical_ms([found]) == found.mean_ms


@given(st.text())
def test_whatever_else_it_prints_is_one_clear_line(text: str) -> None:
    with pytest.raises(BenchError, match="--native-runner does not print") as caught:
        parse(text, 0, 1, 0, "k")
    assert "\n" not in str(caught.value)


def test_only_tflite_in_several_processes(
    make_model: Callable[..., Model], make_results: Callable[..., Results], runner: Path
) -> None:
    results = make_results(make_model(scale=0.5, format="tflite"), make_model(scale=0.5))
    host = Host()
    *_, last = measure(host, results, runner, lambda line: None)
    assert len(last.native) == len(host.asked) == PROCESSES
    assert {one.member for one in last.native} == {0}
    assert last.runs == results.runs


def test_a_second_time_only_what_is_lacking(
    make_model: Callable[..., Model], make_results: Callable[..., Results], runner: Path
) -> None:
    results = make_results(make_model(scale=0.5, format="tflite"))
    first = next(measure(Host(), results, runner, lambda line: None))
    host = Host()
    *_, last = measure(host, first, runner, lambda line: None)
    assert len(host.asked) == PROCESSES - 1
    assert len(last.native) == PROCESSES
