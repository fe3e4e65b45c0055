"""``shufflenet-bench``: what to measure and where, in; tables or one JSON document, out.

Only what the options need is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from shufflenet_deploy.bench import BenchError
from shufflenet_deploy.runtime import MAX_THREADS, InferenceError
from shufflenet_deploy.runtime.command_line import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from shufflenet_deploy.bench.devices import Device
    from shufflenet_deploy.bench.results import Parameters, Results
    from shufflenet_deploy.runtime.artifact import Artifact

DEFAULT_SUITE = "quick"

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    named: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="ARTIFACT",
            show_default=False,
            help="Files of shufflenet-export, their manifests beside them. Without any, the "
            "suite's are taken.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where to measure: local is this machine.")] = "local",
    suite: Annotated[
        str | None,
        typer.Option(
            show_default=DEFAULT_SUITE,
            help="What to measure where no artifacts are named: quick is ShuffleNet 0.5x, 1x and "
            "2x, AlexNet and MobileNet at 224x224 in both formats.",
        ),
    ] = None,
    artifacts: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Where the suite's artifacts are. Those missing are exported to it first.",
        ),
    ] = Path("artifacts"),
    rounds: Annotated[
        int,
        typer.Option(min=1, help="Turns of each model; with more of them ratios scatter less."),
    ] = 20,
    threads: Annotated[
        int,
        typer.Option(
            min=1, max=MAX_THREADS, help="Threads of the engine; the paper measures with 1."
        ),
    ] = 1,
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Where the raw samples go, after each step."),
    ] = Path("results.json"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results and their summary as one document.")
    ] = False,
) -> None:
    """Measure how long networks take, and compare with what the ShuffleNet paper says.

    Each model is first loaded alone, for its load time and its memory. Then
    all models of one format take turns in rounds of short bursts, so that
    their ratios do not depend on what else the machine does meanwhile.
    """
    from shufflenet_deploy.bench import results as files
    from shufflenet_deploy.bench.devices import open_device

    if named and suite:
        raise BenchError("name artifacts or a --suite, not both", usage=True)
    files.check_writable(out)
    target = open_device(device)
    stderr = _stderr()
    chosen = _choose(named, suite or DEFAULT_SUITE, artifacts, stderr)
    parameters = files.Parameters(rounds=rounds, threads=threads)
    results = _measure(target, chosen, parameters, out, stderr)
    if results.models:
        _print(results, as_json)
    if not results.complete:
        kept = f"what was measured is in {out}" if results.models else "nothing was measured"
        raise BenchError(f"interrupted: {kept}")
    stderr.print(f"raw samples: {out}", markup=False, soft_wrap=True)


def main() -> NoReturn:
    """Exit codes: 0 done, 1 failed or interrupted, 2 wrong usage."""
    run(app, BenchError, InferenceError)


def _choose(
    named: Sequence[Path] | None, suite: str, folder: Path, stderr: Console
) -> list[Artifact]:
    from shufflenet_deploy.bench.artifacts import open_named, provide
    from shufflenet_deploy.bench.suites import find_suite

    if named:
        return open_named(named)
    wanted = find_suite(suite).options()
    return provide(wanted, folder, lambda line: stderr.print(line, markup=False, soft_wrap=True))


def _measure(
    device: Device,
    artifacts: Sequence[Artifact],
    parameters: Parameters,
    out: Path,
    stderr: Console,
) -> Results:
    """Measure, and write to `out` after each step; a Ctrl-C ends it with what there is."""
    from shufflenet_deploy.bench.progress import shown
    from shufflenet_deploy.bench.protocol import begin, measure
    from shufflenet_deploy.bench.results import write

    results = begin(device, parameters)
    try:
        with shown(stderr) as report:
            for latest in measure(device, artifacts, results, report):
                results = latest
                write(out, results)
    except KeyboardInterrupt:
        if results.models:
            write(out, results)  # it may have come during the last writing
    except BenchError as error:
        if not results.models:
            raise
        raise BenchError(f"{error}; what was measured before is in {out}") from None
    return results


def _print(results: Results, as_json: bool) -> None:
    import msgspec

    from shufflenet_deploy.bench.claims import load_paper
    from shufflenet_deploy.bench.summary import summarise
    from shufflenet_deploy.bench.table import show, stdout_console

    paper = load_paper()
    summary = summarise(results, paper)
    if as_json:
        document = {**msgspec.structs.asdict(results), "summary": summary}
        sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
    else:
        show(results, summary, paper, stdout_console())


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False)


if __name__ == "__main__":
    main()
