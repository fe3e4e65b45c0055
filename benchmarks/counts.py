"""Instructions of the demo's networks on emulated ARM64 processors: ``make counts``.

The committed table is ``benchmarks/counts.json``, and docs/counts.md shows it. --recount counts a
few of its cells again, for CI: a change that makes an artifact slower or faster must change the
table with it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from shufflenet_deploy.bench.compare.counts_table import alexnet_ratio
from shufflenet_deploy.bench.measure.artifacts import Subject, provide
from shufflenet_deploy.bench.measure.counts import (
    CountPlan,
    Counts,
    Entry,
    begin,
    count_all,
    go_on,
    read,
    write,
)
from shufflenet_deploy.bench.measure.session import Choice
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.runtime.errors import BenchError, InferenceError
from shufflenet_deploy.runtime.options import Options

SUITE = "quick"
CPUS = ("cortex-a72", "cortex-a76")
TABLE = Path(__file__).with_name("counts.json")
DOCUMENT = Path(__file__).parents[1] / "docs" / "counts.md"
BEGIN, END = "<!-- counts -->\n", "<!-- /counts -->\n"
TOLERANCE = 0.01
"""By which a cell may differ from the committed one."""
REPEATABILITY = 0.0005
"""By which the same cell may differ from process to process."""
RECOUNTED = (
    ("shufflenet-v1-g3-x0.5-224x224-fp32.onnx", "cortex-a72"),
    ("shufflenet-v1-g3-x0.5-224x224-fp32.tflite", "cortex-a72"),
    ("shufflenet-v1-g3-x0.5-224x224-int8.tflite", "cortex-a72"),
    ("shufflenet-v1-g3-x0.5-224x224-int8.tflite", "cortex-a76"),
    ("shufflenet-v1-g3-x0.5-224x224-fp16.tflite", "cortex-a76"),
)
"""Small ones: artifact, processor."""


def main() -> int:
    """Count everything and print the table; or see the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="[artifacts]")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT.name}")
    parser.add_argument(
        "--recount",
        action="store_true",
        help=f"count a few cells; exit 1 where one is not the table's within {TOLERANCE:.0%}",
    )
    parser.add_argument(
        "--repeat",
        type=int,
        default=0,
        metavar="N",
        help=f"count them N times; exit 1 where one moves by more than {REPEATABILITY:.2%}",
    )
    options = parser.parse_args()
    try:
        if options.repeat:
            return _repeat(options.repeat, options.artifacts, options.jobs)
        if options.recount:
            return _recount(options.artifacts, options.jobs)
        counts = _count_table(options.artifacts, options.jobs)
    except (BenchError, InferenceError) as error:
        _say(f"error: {error}")
        return 1
    text = markdown(counts)
    print(text, end="")
    if options.write:
        DOCUMENT.write_text(with_table(DOCUMENT.read_text(), text))
    return 0


def _count_table(folder: Path, jobs: int) -> Counts:
    """All cells; those of a run that was stopped are not counted again."""
    paper = load_paper()
    # fp16 of ONNX is for space alone: on ARM64 it takes more instructions than fp32.
    choices = (_choice(folder, (), ("fp32", "int8")), _choice(folder, ("tflite",), ("fp16",)))
    subjects = tuple(subject for choice in choices for subject in choice.subjects(paper, _say))
    wanted = CountPlan(subjects=subjects, cpus=CPUS, caches=False, jobs=jobs)
    partial = folder / "counts.json"
    begun = begin(wanted)
    if partial.exists():
        begun = go_on(read(partial), begun, partial)
    latest = begun
    for latest in count_all(begun, wanted, _say):
        write(partial, latest)
    write(TABLE, latest)
    partial.unlink()
    return latest


def _choice(folder: Path, formats: tuple[str, ...], precisions: tuple[str, ...]) -> Choice:
    return Choice(
        named=(),
        suite=SUITE,
        formats=formats,
        precisions=precisions,
        folder=folder,
        lowerings=("fast", "plain"),
    )


def _recount(folder: Path, jobs: int) -> int:
    """Compare a few cells with the committed ones."""
    committed = read(TABLE)
    expected = {(entry.artifact, entry.cpu): entry for entry in committed.entries}
    wrong = []
    for entry in _few(committed, folder, jobs):
        table = expected[entry.artifact, entry.cpu].counted.instructions
        ratio = entry.counted.instructions / table
        name = f"{entry.artifact} on {entry.cpu}"
        print(f"{name}: {entry.counted.instructions} by the table's {table}: {ratio:.4f}")
        if abs(ratio - 1) > TOLERANCE:
            wrong.append(f"{name} takes {100 * (ratio - 1):+.2f}%")
    if wrong:
        _say(f"error: not as in {TABLE.name}: {'; '.join(wrong)}; make counts, and commit it")
    return 1 if wrong else 0


def _repeat(times: int, folder: Path, jobs: int) -> int:
    """Count a few cells in several processes each, and show how far they move."""
    committed = read(TABLE)
    found: dict[tuple[str, str], list[int]] = {}
    for _ in range(times):
        for entry in _few(committed, folder, jobs):
            found.setdefault((entry.artifact, entry.cpu), []).append(entry.counted.instructions)
    worst = 0.0
    for (artifact, cpu), counted in found.items():
        spread = max(counted) / min(counted) - 1
        worst = max(worst, spread)
        print(f"{artifact} on {cpu}: {min(counted)} to {max(counted)}, {spread:.4%} apart")
    return 1 if worst > REPEATABILITY else 0


def _few(committed: Counts, folder: Path, jobs: int) -> Iterator[Entry]:
    """Count the cells of `RECOUNTED`."""
    options = {entry.artifact: entry.options for entry in committed.entries}
    for cpu in dict.fromkeys(cpu for _, cpu in RECOUNTED):
        names = [name for name, own in RECOUNTED if own == cpu]
        yield from _counted([options[name] for name in names], cpu, folder, jobs)


def _counted(
    options: Sequence[Options | None], cpu: str, folder: Path, jobs: int
) -> Sequence[Entry]:
    artifacts = provide([one for one in options if one], folder, _say)
    subjects = tuple(map(Subject.of, artifacts))
    wanted = CountPlan(subjects=subjects, cpus=(cpu,), caches=False, jobs=jobs)
    *_, counts = count_all(begin(wanted), wanted, _say)
    return counts.entries


def markdown(counts: Counts) -> str:
    """The document's table: a row for each network, engine and precision."""
    heads = [f"{cpu} | fast / plain | AlexNet / it" for cpu in CPUS]
    lines = [f"| network | engine | precision | {' | '.join(heads)} |"]
    lines.append("| --- | --- | --- |" + " ---: |" * 3 * len(CPUS))
    fast = [entry for entry in counts.entries if entry.options and entry.options.lowering == "fast"]
    for entry in fast:
        if entry.cpu == CPUS[0] and entry.options:
            cells = [_cells(counts, _on(counts, entry, cpu)) for cpu in CPUS]
            network = Network.of(entry.options).label
            row = [
                network,
                entry.engine,
                entry.options.precision,
                *(one for c in cells for one in c),
            ]
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _cells(counts: Counts, entry: Entry) -> tuple[str, str, str]:
    """Millions of instructions, by those of `plain`, and AlexNet's by it."""
    ratio = alexnet_ratio(counts, entry)
    return (
        f"{entry.counted.instructions / 1e6:.1f}",
        _by_plain(counts, entry),
        "-" if ratio is None else f"{ratio:.2f}",
    )


def _by_plain(counts: Counts, entry: Entry) -> str:
    """``same`` where both are the very same file: there was nothing to rewrite."""
    assert entry.options is not None
    wanted = replace(entry.options, lowering="plain")
    (plain,) = (one for one in counts.entries if one.options == wanted and one.cpu == entry.cpu)
    if plain.sha256 == entry.sha256:
        return "same"
    return f"{entry.counted.instructions / plain.counted.instructions:.3f}"


def _on(counts: Counts, entry: Entry, cpu: str) -> Entry:
    (found,) = (one for one in counts.entries if one.artifact == entry.artifact and one.cpu == cpu)
    return found


def with_table(document: str, table: str) -> str:
    """`document` with `table` between its marks."""
    before, begin_mark, rest = document.partition(BEGIN)
    _, end_mark, after = rest.partition(END)
    if not begin_mark or not end_mark:
        raise BenchError(f"{DOCUMENT} has no lines {BEGIN.strip()} and {END.strip()}")
    return before + begin_mark + table + end_mark + after


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
