"""How well a measurement repeats: ``make repeatability``.

The suite `quick` is run several times, alone or beside a neighbour that takes a core or the memory,
and the standard deviation of its ratios over the repeats is printed. A ratio can be believed as far
as it repeats.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

ALLOWED = {
    "none": {"x1.0 / x0.5": 1.0, "alexnet / x0.5": 2.0},
    "spin": {"x1.0 / x0.5": 2.0, "alexnet / x0.5": 2.0},
    "memory": {},
}
"""Neighbour -> ratio -> standard deviation in percent that --check lets pass."""
NEIGHBOURS = {
    "spin": "while True: pass",
    "memory": "import numpy as n\na = n.zeros(1 << 27)\nb = n.ones(1 << 27)\nwhile True: a[:] = b",
}
"""What runs beside: a core's arithmetic, or a gigabyte that is copied to another without end."""
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
    warned = 0
    with neighbour(options.neighbour), tempfile.TemporaryDirectory() as folder:
        for repeat in range(options.repeats):
            print(f"run {repeat + 1} of {options.repeats}", file=sys.stderr, flush=True)
            out = (options.keep or Path(folder)) / f"{repeat}.json"
            document = measure(options.artifacts, options.format, out)
            for key, ratio in ratios(document["summary"]):
                found.setdefault(key, []).append(ratio)
            warned += any(one["code"] == LOAD for one in document["summary"]["warnings"])

    table = Table(box=None, pad_edge=False, title=f"neighbour: {options.neighbour}")
    for heading in ("engine", "ratio", "mean", "standard deviation", "allowed"):
        table.add_column(heading, justify="left" if heading in ("engine", "ratio") else "right")
    failed = False
    for (engine, name), values in found.items():
        deviation = 100 * stdev(values) / mean(values)
        allowed = ALLOWED[options.neighbour].get(name)
        failed |= allowed is not None and deviation > allowed
        limit = "" if allowed is None else f"{allowed:g} %"
        table.add_row(engine, name, f"{mean(values):.3f}", f"{deviation:.2f} %", limit)
    Console().print(table)
    print(f"other load was warned of in {warned} of {options.repeats} runs")
    failed |= options.neighbour != "none" and warned < options.repeats
    return 1 if options.check and failed else 0


@contextmanager
def neighbour(name: str) -> Iterator[None]:
    """Have the neighbour of that name run meanwhile."""
    if name not in NEIGHBOURS:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOURS[name]])
    try:
        yield
    finally:
        process.kill()
        process.wait()


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


if __name__ == "__main__":
    sys.exit(main())
