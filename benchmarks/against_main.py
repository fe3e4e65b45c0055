"""Whether a change made the networks slower: its artifacts against those of the main branch.

Both trees export the same networks, and the two artifacts of each take turns in one measurement, by
the change's own shufflenet-bench. Only such pairs tell a few percent on a machine that is shared:
times of two measurements, one after the other, differ by more for no reason.

    git worktree add ../main origin/main && make -C ../main .venv/.ready
    python benchmarks/against_main.py --main ../main/.venv/bin/python

What is the same file in both was not changed, and is not measured. So this sees what exporting
changes, and not a change to how artifacts are run: both are run by the change's own worker.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from shufflenet_deploy.bench.analysis.estimates import ratios
from shufflenet_deploy.bench.analysis.summary import Estimate
from shufflenet_deploy.bench.analysis.wording import interval_of, value_of
from shufflenet_deploy.bench.compare.comparison import parse_percent
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import Results, read
from shufflenet_deploy.export.cost import TARGETS
from shufflenet_deploy.runtime.errors import BenchError

SCALES = (0.5, 1.0)
PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True)
class Pair:
    """One network's artifact as each tree exports it."""

    main: Path
    change: Path

    @property
    def same(self) -> bool:
        """Whether they are the same file, to the byte."""
        return self.main.read_bytes() == self.change.read_bytes()


def main() -> int:
    """Export, measure, print the ratios. Exit codes: 0 no slower, 1 slower, or no answer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--main", type=Path, required=True, help="the Python of main's environment")
    parser.add_argument("--fail-above", default="3%", help="slower by so much is too slow [3%%]")
    parser.add_argument("--processes", type=int, default=5, help="worker processes at least [5]")
    parser.add_argument("--rounds", type=int, default=100, help="of each network at most [100]")
    parser.add_argument("--out", type=Path, default=Path("results-against-main.json"))
    options = parser.parse_args()
    try:
        percent = parse_percent(options.fail_above)
        with tempfile.TemporaryDirectory() as folder:
            pairs = _pairs(options.main, Path(folder))
            changed = [pair for pair in pairs if not pair.same]
            found: dict[Pair, Estimate] = {}
            if changed:
                found = _measure(changed, options.processes, options.rounds, options.out)
        return _judge(pairs, changed, found, percent)
    except BenchError as error:
        _say(f"error: {error}")
        return 1


def _pairs(python: Path, folder: Path) -> list[Pair]:
    """What both trees export, by the same names."""
    sides = {"main": python, "change": Path(sys.executable)}
    for side, executable in sides.items():
        for scale in SCALES:
            _say(f"exporting {scale}x as {side} does")
            _export(executable, scale, folder / side)
    names, others = (
        {path.name for path in (folder / side).iterdir() if path.suffix != ".json"}
        for side in sides
    )
    for name in sorted(names ^ others):
        _say(f"only one of the two exports {name}")
    both = sorted(names & others)
    if not both:
        raise BenchError("the two trees export nothing by the same name")
    return [Pair(folder / "main" / name, folder / "change" / name) for name in both]


def _export(python: Path, scale: float, out: Path) -> None:
    """int8 for this machine, where another's must not be judged."""
    command = [str(python), "-m", "shufflenet_deploy.export", "--groups", "3"]
    command += ["--scale", str(scale), "--target", TARGETS.get(platform.machine(), "arm64")]
    for precision in PRECISIONS:
        command += ["--precision", precision]
    try:
        done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True)
    except OSError as error:
        raise BenchError(f"cannot run {python}: {error.strerror}", usage=True) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BenchError(f"{python} cannot export: {last.removeprefix('error: ')}")


def _measure(pairs: Sequence[Pair], processes: int, rounds: int, out: Path) -> dict[Pair, Estimate]:
    """Times change / main, of each pair: within the rounds of one measurement."""
    files = [str(path) for pair in pairs for path in (pair.main, pair.change)]
    command = [sys.executable, "-m", "shufflenet_deploy.bench", *files, "--device", "local"]
    command += ["--processes", str(processes), "--rounds", str(rounds), "--out", str(out)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL)
    if done.returncode:
        raise BenchError("shufflenet-bench failed on the two trees' artifacts; see above")
    results = read(out)
    return {
        pair: ratio
        for pair in pairs
        for ratio in _ratios(results, str(pair.main), str(pair.change))
    }


def _ratios(results: Results, main: str, change: str) -> Iterator[Estimate]:
    """The ratio of two models, of the block in which both took turns."""
    paths = [model.path for model in results.models]
    members = (paths.index(main), paths.index(change))
    for block in results.blocks:
        if set(members) <= set(block.members):
            two = msgspec.structs.replace(block, claim=None, members=members)
            yield from ratios(results, two, load_paper()).values()
            return


def _judge(
    pairs: Sequence[Pair], changed: Sequence[Pair], found: dict[Pair, Estimate], percent: float
) -> int:
    table = Table(box=None, pad_edge=False, title="time of the change / time of main, 1 thread")
    for heading in ("artifact", "ratio", "95% interval", "verdict"):
        table.add_column(heading, justify="right" if heading == "ratio" else "left")
    slower: list[str] = []
    unknown: list[str] = []
    for pair in pairs:
        ratio = found.get(pair)
        if pair not in changed:
            table.add_row(pair.main.name, "", "", "the same file")
        elif ratio is None or ratio.low is None or ratio.high is None:
            unknown.append(pair.main.name)
            table.add_row(pair.main.name, "", "", "not known")
        else:
            limit = 1 + percent / 100
            slower += [pair.main.name] if ratio.low > limit else []
            verdict = "passes" if ratio.high <= limit else "passes, for all that is known"
            if ratio.low > limit:
                verdict = f"slower by more than {percent:g}%"
            table.add_row(pair.main.name, value_of(ratio, 3), interval_of(ratio, 3), verdict)
    console = Console()
    if not console.is_terminal:
        console.width = 120  # a log has no width: keep one artifact on one line
    console.print(table)
    if unknown:
        raise BenchError(f"no interval of {', '.join(unknown)}: at least 2 processes have to run")
    if slower:
        raise BenchError(f"slower than main by more than {percent:g}%: {', '.join(slower)}")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
