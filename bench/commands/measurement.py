"""``shufflenet-bench [run]``: what to measure and where, in; tables or one JSON document, out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shufflenet_deploy.bench.commands import alone
from shufflenet_deploy.bench.commands.job import Job, opened
from shufflenet_deploy.bench.commands.judging import Evaluated
from shufflenet_deploy.bench.commands.options import (
    ANY_MODEL,
    NATIVE_FILES,
    NATIVE_RUNNER,
    AnyBoard,
    Cpu,
    DeviceName,
    Engines,
    Folder,
    Formats,
    InputFiles,
    Precisions,
    Provision,
    Ranges,
    Shapes,
    caches,
    numbers,
    way,
)
from shufflenet_deploy.runtime import MAX_THREADS
from shufflenet_deploy.runtime.command_line import Version
from shufflenet_deploy.runtime.errors import BenchError

if TYPE_CHECKING:
    from shufflenet_deploy.bench.accuracy.of_results import Judgement
    from shufflenet_deploy.bench.analysis.summary import Summary
    from shufflenet_deploy.bench.devices import Device
    from shufflenet_deploy.bench.results import Parameters, Results
    from shufflenet_deploy.runtime.engines.given import GivenInput

DEFAULT_SUITE = "quick"


def run(
    named: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[ARTIFACT]...",
            show_default=False,
            help=f"Files of shufflenet-export, or {ANY_MODEL}; they are compared with each other. "
            "Without any, a suite is measured.",
        ),
    ] = None,
    device: DeviceName = "local",
    any_board: AnyBoard = False,
    provision: Provision = None,
    prepare: Annotated[
        bool,
        typer.Option(
            "--prepare", help="Set the governor to performance meanwhile, where sudo allows."
        ),
    ] = False,
    native_runner: Annotated[
        Path | None,
        typer.Option(
            "--native-runner",
            metavar="FILE",
            help=f"{NATIVE_RUNNER} for the device: it measures the {NATIVE_FILES} files too, and "
            "its figures stand apart.",
        ),
    ] = None,
    cpu: Cpu = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--counts",
            metavar="instructions|cache",
            show_default="instructions",
            help="Of --device emulated: cache also simulates data caches.",
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            show_default=f"{DEFAULT_SUITE}, where no artifacts are named",
            help="quick: the paper's ratios at 224x224; claims: all that it says of time, at three "
            "sizes; variants: every network with a published error.",
        ),
    ] = None,
    formats: Formats = None,
    precisions: Precisions = None,
    engines: Engines = None,
    artifacts: Folder = Path("artifacts"),
    shapes: Shapes = None,
    ranges: Ranges = None,
    inputs: InputFiles = None,
    threads: Annotated[
        str,
        typer.Option(
            metavar="N[,N...]",
            help="Threads of the engine, one number after the other; the paper measures with 1.",
        ),
    ] = "1",
    cores: Annotated[
        str,
        typer.Option(
            metavar="N[,N...]",
            show_default="the system's choice; on a phone the fastest",
            help="Cores to stay on.",
        ),
    ] = "",
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            show_default="8; 3 once 12 minutes are over",
            help="Worker processes of each block at least; it may take twice as many.",
        ),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Turns of each model of a block at most, over all processes.")
    ] = 160,
    interval: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="PERCENT",
            help="A block ends when its ratios are known so well, half their 95% interval; and "
            "after 12 minutes in any case, once it has three processes, or --processes.",
        ),
    ] = 2.0,
    max_minutes: Annotated[
        float | None, typer.Option(min=0, show_default="no limit", help="For all of it.")
    ] = None,
    cool_down: Annotated[
        bool,
        typer.Option(
            "--cool-down", help="Let the device cool down before each process, where it must."
        ),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|digits",
            help="Labelled images, as shufflenet-eval takes them: the artifacts are evaluated on "
            "them, on this machine, so that accuracy stands beside speed.",
        ),
    ] = None,
    evaluated: Evaluated = None,
    budget_ms: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="MS",
            show_default=False,
            help="Name the most accurate network that takes no longer.",
        ),
    ] = None,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="Not latency, but where each artifact's time goes, layer by layer."
        ),
    ] = False,
    sustained: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            max=24 * 60,
            metavar="MINUTES",
            show_default=False,
            help="Run one model without pause: the latency's course, what it settles at, and "
            "whether the processor is throttled.",
        ),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            "--end-to-end",
            metavar="IMAGE",
            show_default=False,
            help="From an image file to a label: decoding, resizing and normalising beside "
            "inference.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default="results.json; of --profile, --sustained and --end-to-end profile.json, "
            "sustained.json and end-to-end.json",
            help="Where the raw samples go, after each process.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what --out holds already.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Exit with 1 where a claim of the paper is contradicted."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results and their summary as one document.")
    ] = False,
    version: Version = False,
) -> None:
    """Measure how long networks take, and judge what the ShuffleNet paper says of it.

    Each model is first loaded alone, for its load time and its memory. Then
    models that are compared take turns in rounds of short bursts, in several
    worker processes, so that their ratios do not depend on what else the
    machine does meanwhile.
    """
    from shufflenet_deploy.bench.devices import check_options
    from shufflenet_deploy.bench.devices.boards import find_board
    from shufflenet_deploy.bench.devices.options import DeviceOptions
    from shufflenet_deploy.bench.measure.inputs import given_inputs
    from shufflenet_deploy.bench.measure.session import Choice
    from shufflenet_deploy.bench.presentation.terminal import stderr_console, tell

    out = _out(out, profile, sustained, image)
    choice = Choice(
        named=tuple(named or ()),
        suite=suite or (None if named else DEFAULT_SUITE),
        formats=tuple(formats or ()),
        precisions=tuple(precisions or ()),
        folder=artifacts,
        engines=tuple(dict.fromkeys(engines or ())),
    )
    needed = choice.needed_engines()
    given = given_inputs(shapes or (), ranges or (), inputs or ())
    board = find_board(device)
    stderr = stderr_console()
    options = DeviceOptions(
        provision=way(provision),
        prepare=prepare,
        native_runner=native_runner,
        engines=needed if image is None else (*needed, "pillow"),
        cpu=cpu,
        caches=caches(kind),
        tell=lambda line: tell(line, stderr),
    )
    check_options(board, options)
    if native_runner and not native_runner.is_file():
        raise BenchError(f"--native-runner {native_runner}: it is no file", usage=True)
    if native_runner and given:
        raise BenchError(
            "--native-runner: it makes inputs of its own; leave out --shape, --range and --input",
            usage=True,
        )
    parameters = _parameters(
        threads, cores, processes, rounds, interval, max_minutes, cool_down, given
    )
    if data is not None and evaluated is not None:
        raise BenchError("--data and --eval: give one of them", usage=True)
    job = Job(board, any_board, options, choice, parameters, data, evaluated, out, as_json, stderr)
    if profile:
        alone.profile(job, needed)
    elif sustained is not None:
        alone.sustain(job, sustained)
    elif image is not None:
        alone.label(job, image)
    else:
        results = _measure(job, resume)
        summary = _print(results, budget_ms, as_json)
        _conclude(results, summary, job, check)


def _out(out: Path | None, profile: bool, sustained: float | None, image: Path | None) -> Path:
    """Where the document goes. Raises `BenchError` for options of which each has one of its own."""
    from shufflenet_deploy.bench.documents import (
        END_TO_END,
        PROFILE,
        RESULTS,
        SUSTAINED,
        require_ours,
    )
    from shufflenet_deploy.bench.results import check_writable

    asked = {
        "--profile": (profile, PROFILE),
        "--sustained": (sustained is not None, SUSTAINED),
        "--end-to-end": (image is not None, END_TO_END),
    }
    given = {option: kind for option, (is_given, kind) in asked.items() if is_given}
    if len(given) > 1:
        raise BenchError(f"{' and '.join(given)}: give one of them", usage=True)
    option, kind = next(iter(given.items()), ("--results", RESULTS))
    out = out or Path(f"{option.removeprefix('--')}.json")
    check_writable(out)
    if given:
        require_ours(out, kind)
    return out


def _parameters(
    threads: str,
    cores: str,
    processes: int | None,
    rounds: int,
    interval: float,
    max_minutes: float | None,
    cool_down: bool,
    inputs: tuple[GivenInput, ...],
) -> Parameters:
    from msgspec.structs import replace

    from shufflenet_deploy.bench.results import Parameters

    parameters = Parameters(
        threads=numbers("--threads", threads, 1, MAX_THREADS),
        cores=numbers("--cores", cores, 0, 4095) if cores else (),
        rounds=rounds,
        interval_percent=interval,
        minutes=max_minutes,
        cool_down=cool_down,
        inputs=inputs,
    )
    if processes is None:
        return parameters
    # Named by the user, so not fewer in any case.
    return replace(
        parameters,
        processes=processes,
        max_processes=2 * processes,
        hasty_processes=processes,
    )


def _measure(job: Job, resume: bool) -> Results:
    from shufflenet_deploy.bench.accuracy.of_results import judgement
    from shufflenet_deploy.bench.devices.boards import target
    from shufflenet_deploy.bench.measure.session import carry_out, start
    from shufflenet_deploy.bench.paper.claims import load_paper

    paper = load_paper()
    with opened(job) as (device, environment, parameters):
        subjects = job.choice.subjects(paper, job.options.tell)
        to = target(job.board, environment)
        judging = judgement(subjects, job.data, job.evaluated, job.options.tell)
        begun = start(to, environment, subjects, parameters, paper, job.choice, job.out, resume)
        results = carry_out(device, judging.known(begun), paper, job.out, job.stderr)
        if results.ended in ("done", "minutes"):
            results = _judged(results, judging, job)
        if job.options.native_runner and results.ended == "done":
            results = _native(device, results, job)
    return results


def _judged(results: Results, judging: Judgement, job: Job) -> Results:
    """`results` with the accuracy that they lack, and written again where there was some."""
    from shufflenet_deploy.bench.accuracy.table import progress
    from shufflenet_deploy.bench.results import write

    with progress(job.stderr) as report:
        judged = judging.complete(results, report)
    if judged is not results:
        write(job.out, judged)
    return judged


def _conclude(results: Results, summary: Summary, job: Job, check: bool) -> None:
    """Say what became of the measurement. Raises `BenchError` where that is a failure."""
    from shufflenet_deploy.bench.presentation.terminal import tell

    if results.ended == "interrupted":
        kept = (
            f"what was measured is in {job.out}, --resume goes on"
            if summary.models
            else "nothing was measured"
        )
        raise BenchError(f"interrupted: {kept}")
    if results.ended == "minutes":
        tell("--max-minutes is over before all was measured: --resume goes on", job.stderr)
    tell(f"raw samples: {job.out}", job.stderr)
    contradicted = [
        verdict.claim for verdict in summary.verdicts if verdict.outcome == "contradicted"
    ]
    if check and contradicted:
        raise BenchError(f"--check: contradicted here: {', '.join(dict.fromkeys(contradicted))}")


def _print(results: Results, budget_ms: float | None, as_json: bool) -> Summary:
    import msgspec

    from shufflenet_deploy.bench.analysis.summarise import summarise
    from shufflenet_deploy.bench.analysis.warnings import notes
    from shufflenet_deploy.bench.paper.claims import load_paper
    from shufflenet_deploy.bench.presentation.terminal import stdout_console
    from shufflenet_deploy.bench.report.data import ReportData
    from shufflenet_deploy.bench.report.to_terminal import show, show_budget

    paper = load_paper()
    summary = summarise(results, paper)
    if as_json:
        document = {"results": results, "summary": summary}
        sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
    elif summary.models:
        show(ReportData(results, summary, paper, notes(results)), stdout_console())
        if budget_ms is not None:
            show_budget(summary, budget_ms, stdout_console())
    return summary


def _native(device: Device, results: Results, job: Job) -> Results:
    from shufflenet_deploy.bench.measure.native import NativeHost, measure
    from shufflenet_deploy.bench.results import write

    runner = job.options.native_runner
    assert runner is not None
    assert isinstance(device, NativeHost)  # its kind's row says that the option is for it
    for latest in measure(device, results, runner, job.options.tell):
        results = latest
        write(job.out, results)
    return results
