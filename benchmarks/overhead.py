"""What the harness costs: ``python benchmarks/overhead.py``.

In one process the worker's own rounds and a bare loop around the engine take turns, in shuffled
order, each with a burst of as many runs. Both run the same engine object, so that nothing differs
but what the harness adds: two sessions of one model lie elsewhere in memory, and differ by more.
The ratio of a process is the median over its rounds, the interval is over the processes.
"""

from __future__ import annotations

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from shufflenet_deploy.bench.analysis.statistics import log_interval, paired_ratio
from shufflenet_deploy.bench.analysis.wording import interval_of, value_of
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.canary import canary, pulse
from shufflenet_deploy.runtime.machine.environment import read_environment
from shufflenet_deploy.runtime.machine.peak import peak_multiply_adds_per_second
from shufflenet_deploy.runtime.machine.processor import change_core
from shufflenet_deploy.runtime.machine.state import StateReader
from shufflenet_deploy.runtime.worker.instruments import Instruments
from shufflenet_deploy.runtime.worker.loading import Loaded, load
from shufflenet_deploy.runtime.worker.rounds import rounds
from shufflenet_deploy.runtime.worker.spec import Spec
from shufflenet_deploy.runtime.worker.warm_up import warm_up

MAX_SLOW_SHARE = 1.01
"""Of the bare loop's time."""


def main() -> int:
    """Measure and print the ratios. With --check, exit 1 where one is above `MAX_SLOW_SHARE`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifacts", nargs="*", type=Path, help="[ShuffleNet 0.5x, both formats]")
    parser.add_argument("--processes", type=int, default=5, help="for each artifact [5]")
    parser.add_argument("--rounds", type=int, default=200, help="in each process [200]")
    parser.add_argument("--check", action="store_true", help=f"exit 1 above {MAX_SLOW_SHARE}")
    parser.add_argument("--process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.process:
        print(_ratio(options.artifacts[0], options.rounds))
        return 0

    table = Table(box=None, pad_edge=False, title="time in the worker / of a bare loop, 1 thread")
    for heading in ("artifact", "ratio", "95% interval", "processes"):
        table.add_column(heading, justify="left" if heading == "artifact" else "right")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        artifacts = options.artifacts or _exported(Path(folder))
        logs: dict[Path, list[float]] = {artifact: [] for artifact in artifacts}
        for number in range(options.processes):
            for artifact in artifacts:
                print(f"process {number + 1}: {artifact.name}", file=sys.stderr, flush=True)
                logs[artifact].append(_process(artifact, options.rounds))
    for artifact, values in logs.items():
        ratio = log_interval(values)
        worst = max(worst, ratio.value)
        table.add_row(artifact.name, value_of(ratio, 4), interval_of(ratio, 4), str(len(values)))
    Console().print(table)
    return 1 if options.check and worst > MAX_SLOW_SHARE else 0


def _exported(folder: Path) -> list[Path]:
    # Only here, since it brings torch, which the processes that measure must not have.
    from shufflenet_deploy.export import pipeline
    from shufflenet_deploy.export.request import Request

    print("exporting ShuffleNet 0.5x", file=sys.stderr, flush=True)
    made = pipeline.export(Request(groups=3, scale=0.5, out=folder), lambda line: None)
    return [artifact.path for artifact in made]


def _process(artifact: Path, number: int) -> float:
    """The log of the ratio in a process of its own."""
    command = [sys.executable, __file__, "--process", "--rounds", str(number), str(artifact)]
    return math.log(float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def _ratio(path: Path, number: int) -> float:
    """The median over the rounds of the times worker / bare loop."""
    clock = time.perf_counter_ns
    loaded = load(path, 1, clock, lambda: None)
    assert isinstance(loaded, Loaded)
    spec = Spec(artifacts=(str(path),), rounds=number)
    warm_up(loaded.run, clock, spec.warm_up)
    instruments = Instruments(
        clock=clock,
        sleep=time.sleep,
        environment=read_environment,
        state=StateReader(clock).read,
        canary=lambda: canary(clock),
        pulse=pulse(clock),
        change_core=change_core,
        peak=lambda: peak_multiply_adds_per_second(clock),
        report=lambda progress: None,
    )

    def between() -> None:
        instruments.state()  # at each round, which is more often than the worker does

    bursts = rounds([loaded.run], spec, instruments, between)
    bare = _bare_loop(loaded, spec)
    of_worker, of_loop = {}, {}
    order = random.Random(0)
    for turn in range(number):
        for worker in order.sample((True, False), 2):
            if worker:
                of_worker[turn] = median(next(bursts)[1].samples_ns)
            else:
                of_loop[turn] = median(bare())
    return paired_ratio(of_worker, of_loop)


def _bare_loop(loaded: Loaded, spec: Spec) -> Callable[[], list[int]]:
    """A burst as one would write it by hand; the times of its timed runs in nanoseconds."""
    session: Any = loaded.session
    (images,), untimed, timed = loaded.arrays, spec.untimed, spec.timed

    def onnxruntime() -> list[int]:
        engine, feed, names = session._session, {session.inputs[0].name: images}, session._outputs
        times = []
        for _ in range(untimed):
            engine.run(names, feed)
        for _ in range(timed):
            start = time.perf_counter_ns()
            engine.run(names, feed)
            times.append(time.perf_counter_ns() - start)
        return times

    def litert() -> list[int]:
        engine, put, get = session._interpreter, session._indices[0], session._output
        times = []
        for _ in range(untimed):
            engine.set_tensor(put, images)
            engine.invoke()
            engine.get_tensor(get)
        for _ in range(timed):
            start = time.perf_counter_ns()
            engine.set_tensor(put, images)
            engine.invoke()
            engine.get_tensor(get)
            times.append(time.perf_counter_ns() - start)
        return times

    loops = {"onnxruntime": onnxruntime, "litert": litert}
    if session.engine not in loops:
        raise BenchError(f"no loop is written by hand for {session.engine}", usage=True)
    return loops[session.engine]


if __name__ == "__main__":
    sys.exit(main())
