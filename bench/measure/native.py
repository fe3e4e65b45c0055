"""Another harness beside ours: `benchmark_model`, of the makers of an engine (`native_runner`).

Its figures are of runs one after another in a process of its own, without checks and without other
models in between. They stand beside ours, with its name, and enter no ratio and no claim.
Its options and output: tensorflow/lite/tools/benchmark/README.md of TensorFlow's repository.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from msgspec.structs import replace

from shufflenet_deploy.bench.results import Model, Native, Results
from shufflenet_deploy.runtime.engines import ENGINES
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import named, sha256

_RUNNER = "benchmark_model"
PROCESSES = 5
RUNS = 50
"""The fewest timed runs of each process; benchmark_model makes more of them where they take less
than a second."""
_COUNTS = re.compile(
    r"count=(?P<count>\d+) first=\S+ curr=\S+ min=(?P<minimum>\S+) max=(?P<maximum>\S+) "
    r"avg=(?P<mean>\S+) std=(?P<deviation>\S+)(?: p5=\S+ median=(?P<median>\S+))?"
)
_TIMINGS = re.compile(r"Init: (?P<init>[\d.]+), First inference: (?P<first>[\d.]+)")

Tell = Callable[[str], None]


@runtime_checkable
class NativeHost(Protocol):
    """A `Device` on which programs other than our worker can be started."""

    def put(self, path: Path) -> str:
        """See `Device.put`."""

    def run_native(
        self, runner: str, graph: str, threads: int, runs: int, cores: Sequence[int]
    ) -> str:
        """What `benchmark_model` prints, of two files that `put` has placed.

        Raises `BenchError` where it fails.
        """


def measure(host: NativeHost, results: Results, runner: Path, tell: Tell) -> Iterator[Results]:
    """Measure what `results` lacks of it, and yield all that there is after each process.

    Only what is measured by its makers' engine. Raises `BenchError` where `runner` fails or says
    something else.
    """
    program, key = host.put(runner), sha256(runner)
    for process in range(PROCESSES):
        for index, model in enumerate(results.models):
            if model.skipped or not _runs(model):
                continue
            for threads in results.parameters.threads:
                if (index, threads, process, key) in map(_key, results.native):
                    continue
                tell(f"{_RUNNER}: {model.name}, process {process + 1} of {PROCESSES}")
                graph = host.put(named(model.path))
                said = host.run_native(program, graph, threads, RUNS, results.parameters.cores)
                figures = parse(said, index, threads, process, key)
                results = replace(results, native=(*results.native, figures))
                yield results


def harness() -> str:
    """The program with its makers' engine, for a person."""
    return f"{makers()}'s {_RUNNER}"


def makers() -> str:
    """The engine whose makers wrote the program, for a person."""
    rows = [engine for engine in ENGINES.values() if engine.native_runner == _RUNNER]
    return " or ".join(engine.title for engine in rows)


def _runs(model: Model) -> bool:
    engine = ENGINES.get(model.engine)
    return engine is not None and engine.native_runner == _RUNNER


def parse(said: str, member: int, threads: int, process: int, key: str) -> Native:
    """The figures of the last lines that have some: those before are of its warm-up.

    Raises `BenchError` where there are none.
    """
    counts = list(_COUNTS.finditer(said))
    timings = _TIMINGS.search(said)
    try:
        if not counts or not timings:
            raise ValueError
        last = counts[-1]
        return Native(
            member=member,
            threads=threads,
            process=process,
            runner_sha256=key,
            runs=int(last["count"]),
            init_ms=float(timings["init"]) / 1000,
            first_ms=float(timings["first"]) / 1000,
            mean_ms=float(last["mean"]) / 1000,
            minimum_ms=float(last["minimum"]) / 1000,
            maximum_ms=float(last["maximum"]) / 1000,
            deviation_ms=float(last["deviation"]) / 1000,
            median_ms=float(last["median"]) / 1000 if last["median"] else None,
        )
    except ValueError:
        line = next((line for line in reversed(said.splitlines()) if line.strip()), "nothing")
        raise BenchError(
            f"--native-runner does not print what {_RUNNER} prints, but {line[:120]!r}: give "
            f"{harness()} for the device's processor"
        ) from None


def _key(figures: Native) -> tuple[int, int, int, str]:
    return figures.member, figures.threads, figures.process, figures.runner_sha256
