"""What was measured on, with what, and how: the facts beside the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shufflenet_deploy.bench.analysis.wording import LATENCY, count, gigabytes, listed, number
from shufflenet_deploy.bench.presentation.tables import Table
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.tables import facts_table
from shufflenet_deploy.bench.results import Parameters
from shufflenet_deploy.runtime.machine.environment import Environment

_UNTOLD = "not told by the system"
_Fact = tuple[str, str]


def measured_on(data: ReportData) -> str:
    """The machine in one line."""
    target, machine = data.results.target, data.results.environment
    cores = count(machine.cores, "core") if machine.cores else "unknown number of cores"
    memory = machine.total_memory_bytes
    return (
        f"{target.board}: {machine.board or machine.processor or 'unknown processor'}, {cores}, "
        f"{machine.architecture}, {gigabytes(memory) if memory else 'memory size missing'}"
    )


def fact_tables(data: ReportData) -> list[Table]:
    """Environment, parameters and versions."""
    return [
        facts_table(data.marked("Environment"), list(_environment(data))),
        facts_table(
            data.marked("Parameters"),
            list(_parameters(data.results.parameters, data.results.suite)),
        ),
        facts_table(data.marked("Versions"), list(_versions(data))),
    ]


def _environment(data: ReportData) -> Iterator[_Fact]:
    target, environment = data.results.target, data.results.environment
    names = " or ".join(target.expected)
    expected = f", which calls itself {names}" if names else ""
    memory = environment.total_memory_bytes
    yield "asked for", f"{target.board} ({target.kind}){expected}"
    yield "time is a latency", "yes" if target.latency else "no: emulated"
    yield "board", environment.board or _UNTOLD
    yield "processor", environment.processor or _UNTOLD
    yield "architecture", environment.architecture
    yield "cores", _cores(environment)
    yield "highest frequency", _by_core(environment.maximum_mhz, "MHz")
    yield "memory", _UNTOLD if memory is None else gigabytes(memory)
    yield "kernel", environment.kernel or _UNTOLD
    for threads, rate in sorted(data.results.peak_multiply_adds_per_second.items()):
        yield (
            f"measured peak, {count(threads, 'thread')}",
            f"{number(rate / 1e9)} G multiply-adds/s",
        )
    if target.published_peak_gflops is not None:
        # A multiply-add is two of the operations that data sheets count.
        peak = number(target.published_peak_gflops / 2)
        source = f" ({target.published_peak_source})" if target.published_peak_source else ""
        yield "published peak, one core", f"{peak} G multiply-adds/s in fp32{source}"


def _cores(environment: Environment) -> str:
    """How many there are, and how many of them the worker may use where that is fewer."""
    if environment.cores is None:
        return _UNTOLD
    usable = environment.usable_cores
    if usable is None or usable >= environment.cores:
        return str(environment.cores)
    return f"{environment.cores}, of which {usable:g} may be used"


def _by_core(figures: Mapping[int, float], unit: str) -> str:
    """Equal figures once, with their cores."""
    cores: dict[float, list[str]] = {}
    for core, figure in sorted(figures.items()):
        cores.setdefault(figure, []).append(str(core))
    if len(cores) == 1:
        return f"{next(iter(cores)):g} {unit}"
    parts = [f"{figure:g} {unit} (cores {', '.join(numbers)})" for figure, numbers in cores.items()]
    return "; ".join(parts) or _UNTOLD


def _parameters(parameters: Parameters, suite: str | None) -> Iterator[_Fact]:
    minutes = parameters.minutes
    yield "suite", suite or "none: files were named"
    yield "threads", ", ".join(map(str, parameters.threads))
    yield "pinned to cores", ", ".join(map(str, parameters.cores)) or "none"
    processes = f"{parameters.processes} to {parameters.max_processes}"
    if parameters.hasty_processes < parameters.processes:
        after = f"{parameters.patience_minutes:g} minutes"
        processes += f", or {parameters.hasty_processes} once {after} were over"
    yield "processes of a block", processes
    yield "rounds of a block", f"at most {parameters.rounds}"
    yield (
        "rounds of a process",
        (f"at most {parameters.rounds_per_process}, or {parameters.seconds_per_process:g} s"),
    )
    yield "wanted half width of an interval", f"{parameters.interval_percent:g} %"
    yield "time for everything", "not limited" if minutes is None else f"{minutes:g} minutes"
    yield "runs of a burst", f"{parameters.untimed} untimed, {parameters.timed} timed"
    yield "cool-down", "yes" if parameters.cool_down else "no"
    yield "seed of the order", str(parameters.seed)


def _versions(data: ReportData) -> Iterator[_Fact]:
    environment = data.results.environment
    yield "Python", environment.python_version
    for package, version in environment.package_versions.items():
        yield package, version or "not installed"
    engines = {
        f"{model.probe.engine} {model.probe.engine_version}"
        for model in data.results.models
        if model.probe
    }
    if engines:
        yield "engines that ran", listed(sorted(engines))


def protocol(data: ReportData) -> list[str]:
    """How it was measured, in a few sentences."""
    parameters = data.results.parameters
    maximum = max(parameters.processes, parameters.max_processes)
    if not data.results.target.latency:
        return [
            "The processor was emulated. Each model was loaded and run, and its output on a "
            "seeded input compared with that of the network it was exported from, and the "
            "instructions of one inference were counted: that is all that an emulator can tell. "
            "Its time says nothing of any device's and is not kept."
        ]
    return [
        "Models whose times are compared are measured in the same worker processes, a block: "
        "those of one ratio or slope at one input size, engine and precision. A block is measured "
        f"by {parameters.processes} processes in turn, and by up to {maximum} until its ratio is "
        f"known to {parameters.interval_percent:g} %; once {parameters.patience_minutes:g} minutes "
        f"are over, {min(parameters.processes, parameters.hasty_processes)} are enough.",
        "Each process loads the models, checks their outputs on a seeded input, and runs each "
        "until its time no longer falls. Then they take turns in rounds, in shuffled order: a "
        f"burst of {parameters.untimed} untimed runs, which bring its weights back into the "
        f"caches, and {parameters.timed} timed ones.",
        f"A latency is the {LATENCY} of timed runs. A ratio is "
        "taken within each round, where both models saw the same machine, and its median in "
        "each process. Intervals are 95% t intervals over the processes' logarithms. Outliers are "
        "counted and never dropped.",
        "A fixed kernel, the canary, is timed at the start and the end of every process: where it "
        "becomes slower, so has the processor, whether or not it has sensors. Pieces of it "
        "stand beside the timed runs; on a machine that does not tell its frequency, bursts beside "
        "a slow piece are set aside where enough others remain.",
    ]
