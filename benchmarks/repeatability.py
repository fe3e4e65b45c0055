"""How well a measurement repeats: ``make repeatability``.

The suite `quick` is run several times, alone or beside a neighbour that takes a core or the memory,
and the standard deviation of its ratios over the repeats is printed. A ratio can be believed as far
as it repeats.

How far the machine itself repeated stands beside it: the standard deviation of the latencies, and
the share of the bursts that were timed below the processor's full speed. On a shared machine both
tell of neighbours that are not ours to stop.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import msgspec
from neighbours import running
from rich.console import Console
from rich.table import Table

from shufflenet_deploy.bench.analysis.selection import slow_share
from shufflenet_deploy.bench.results import read

ALLOWED = {
    "none": {"x1.0 / x0.5": 1.0, "alexnet / x0.5": 2.0},
    "spin": {"x1.0 / x0.5": 2.0, "alexnet / x0.5": 2.0},
    "memory": {},
}
"""Neighbour -> ratio -> standard deviation in percent that --check lets pass."""
RATIOS = {
    "x1.0 / x0.5": ("shufflenet-v1-g3-x1.0", "shufflenet-v1-g3-x0.5"),
    "alexnet / x0.5": ("alexnet", "shufflenet-v1-g3-x0.5"),
}
LOAD = "other-load"
"""The code of the warning that a busy neighbour must raise."""


def main() -> int:
    """Run the repeats and print their spread. With --check, exit 1 where it is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="runs of the suite [10]")
    parser.add_argument("--neighbour", choices=list(ALLOWED), default="none")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--format", action="append", default=[], help="only this one [both]")
    parser.add_argument("--keep", type=Path, help="folder for the results of each run [none]")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    options = parser.parse_args()
    if options.repeats < 2:
        parser.error("--repeats: of fewer than 2 runs there is no spread")

    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[str, str], list[float]] = {}
    times: dict[tuple[str, str], list[float]] = {}
    slow = []
    warned = 0
    beside = [] if options.neighbour == "none" else [options.neighbour]
    with running(beside), tempfile.TemporaryDirectory() as folder:
        for repeat in range(options.repeats):
            print(f"run {repeat + 1} of {options.repeats}", file=sys.stderr, flush=True)
            out = (options.keep or Path(folder)) / f"{repeat}.json"
            document = measure(options.artifacts, options.format, out)
            for key, ratio in ratios(document["summary"]):
                found.setdefault(key, []).append(ratio)
            for key, latency in latencies(document["summary"]):
                times.setdefault(key, []).append(latency)
            slow.append(slow_share(read(out)))
            warned += any(one["code"] == LOAD for one in document["summary"]["warnings"])

    failed = show_ratios(options.neighbour, found)
    show_latencies(times)
    print(f"below full speed: {min(slow):.0%} to {max(slow):.0%} of the bursts of a run")
    print(f"other load was warned of in {warned} of {options.repeats} runs")
    failed |= options.neighbour != "none" and warned < options.repeats
    return 1 if options.check and failed else 0


def deviation_percent(values: Sequence[float]) -> float:
    """Their standard deviation by their mean."""
    return 100 * stdev(values) / mean(values)


def show_ratios(beside: str, found: Mapping[tuple[str, str], Sequence[float]]) -> bool:
    """Print how far each ratio moved. True where it was further than is allowed."""
    failed = False
    rows = []
    for (engine, name), values in found.items():
        deviation, allowed = deviation_percent(values), ALLOWED[beside].get(name)
        failed |= allowed is not None and deviation > allowed
        limit = "" if allowed is None else f"{allowed:g} %"
        rows.append((engine, name, f"{mean(values):.3f}", f"{deviation:.2f} %", limit))
    show(f"neighbour: {beside}", ("engine", "ratio", "mean", "standard deviation", "allowed"), rows)
    return failed


def show_latencies(times: Mapping[tuple[str, str], Sequence[float]]) -> None:
    """Print how far the latencies moved, and with them the machine."""
    rows = [
        (engine, name, f"{mean(values):.3f} ms", f"{deviation_percent(values):.2f} %")
        for (engine, name), values in times.items()
    ]
    show("the machine", ("engine", "latency", "mean", "standard deviation"), rows)


def show(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose first two columns are names and whose others are figures."""
    table = Table(box=None, pad_edge=False, title=title)
    for column, heading in enumerate(headings):
        table.add_column(heading, justify="left" if column < 2 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def measure(artifacts: Path, formats: Sequence[str], out: Path) -> dict[str, Any]:
    """The document of one run of the suite."""
    command = [sys.executable, "-m", "shufflenet_deploy.bench", "--suite", "quick", "--json"]
    for one in formats:
        command += ["--format", one]
    done = subprocess.run(
        [*command, "--artifacts", str(artifacts), "--out", str(out)],
        stdout=subprocess.PIPE,
        check=True,
    )
    document: dict[str, Any] = msgspec.json.decode(done.stdout)
    return document


def ratios(summary: dict[str, Any]) -> Iterator[tuple[tuple[str, str], float]]:
    """(engine, name of the ratio) and the ratio, of those that are watched."""
    models = summary["models"]
    for pair in summary["pairs"]:
        above, below = models[pair["numerator"]], models[pair["denominator"]]
        for name, labels in RATIOS.items():
            if (above["label"], below["label"]) == labels:
                yield (above["setting"]["engine"], name), pair["ratio"]["value"]


def latencies(summary: dict[str, Any]) -> Iterator[tuple[tuple[str, str], float]]:
    """(engine, model) and its latency in milliseconds."""
    for model in summary["models"]:
        yield (model["setting"]["engine"], model["label"]), model["latency_ms"]["value"]


if __name__ == "__main__":
    sys.exit(main())
