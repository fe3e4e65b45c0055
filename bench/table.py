"""Results as tables for a person: one for each engine, and one against the paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shufflenet_deploy.bench.claims import Paper
from shufflenet_deploy.bench.environment import Environment
from shufflenet_deploy.bench.results import Model, Results
from shufflenet_deploy.bench.summary import ClaimSummary, ModelSummary, Setting, Summary

MISSING = "-"
_PIPED_WIDTH = 200
_ARM = ("aarch64", "arm64", "armv7l", "armv8l")


def stdout_console() -> Console:
    """Where the tables go. Piped, no line is broken, so that grep finds whole rows."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPED_WIDTH)


def show(results: Results, summary: Summary, paper: Paper, console: Console) -> None:
    """Print on `console` what `results` and their `summary` say."""
    for line in (*_machine(results.device, results.environment), ""):
        console.print(line, markup=False)
    for title, table in _tables(results, summary, paper):
        console.print(f"{title}\n", style="bold", markup=False)
        console.print(table, "")
    for note in _notes(results, paper):
        console.print(note, markup=False)


def _tables(results: Results, summary: Summary, paper: Paper) -> Iterator[tuple[str, Table]]:
    engines: dict[str, str] = {}
    for format_ in dict.fromkeys(model.options.format for model in results.models):
        rows = [
            (model, derived)
            for model, derived in zip(results.models, summary.models, strict=True)
            if model.options.format == format_
        ]
        engines[format_] = rows[0][0].probe.engine
        yield _engine_title(rows, results.parameters.threads), _engine_table(rows)
    for setting in dict.fromkeys(claim.setting for claim in summary.claims):
        claims = [claim for claim in summary.claims if claim.setting == setting]
        if any(claim.measured is not None for claim in claims):
            title = f"the paper's ratios at {' '.join(_words(setting))}"
            yield title, _claims_table(claims, engines, paper)


def _engine_title(rows: Sequence[tuple[Model, ModelSummary]], threads: int) -> str:
    probe = rows[0][0].probe
    rounds = max(derived.rounds for _, derived in rows)
    return ", ".join(
        [
            f"{probe.engine} {probe.engine_version}",
            *_shared([model for model, _ in rows]),
            _count(threads, "thread"),
            _count(rounds, "round"),
        ]
    )


def _engine_table(rows: Sequence[tuple[Model, ModelSummary]]) -> Table:
    table = _table(
        "model",
        "M mult-\nadds",
        "latency\nms",
        "spread\n%",
        "load\nms",
        "memory\nMB",
        "AlexNet\n/ it",
        "\npaper",
    )
    labels = _labels([model for model, _ in rows])
    for label, (model, derived) in zip(labels, rows, strict=True):
        memory = model.probe.peak_memory_bytes
        table.add_row(
            escape(label),  # a path may hold brackets, which are markup here
            f"{model.multiply_adds / 1e6:.1f}",
            _number(derived.latency_ms, 2),
            _number(derived.spread_percent, 1),
            f"{model.probe.load_time_ms:.1f}",
            _number(memory / 1e6 if memory else None, 0),
            _number(derived.times_faster_than_alexnet, 2),
            _number(derived.paper_times_faster_than_alexnet, 2),
        )
    return table


def _claims_table(claims: Sequence[ClaimSummary], engines: dict[str, str], paper: Paper) -> Table:
    formats = list(dict.fromkeys(claim.format for claim in claims))
    names = [engines[format_] for format_ in formats]
    table = _table("ratio", *names, f"paper,\n{paper.table.place}", "paper\nsays", "in\ntheory")
    for claim in paper.claims:
        found = {one.format: one for one in claims if one.claim == claim.id}
        table.add_row(
            claim.title,
            *(_number(found[format_].measured, 2) for format_ in formats),
            _number(found[formats[0]].paper_table, 2),
            f"~{claim.says:g}",
            f"{claim.theoretical:g}",
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold", vertical="bottom")
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _words(setting: Setting) -> list[str]:
    """What names a setting; the default lowering goes without saying."""
    height, width = setting.input_size
    lowering = [] if setting.lowering == "fast" else [setting.lowering]
    return [f"{height}x{width}", setting.precision, *lowering]


def _shared(models: Sequence[Model]) -> list[str]:
    """The words that the settings of all `models` have in common."""
    first, *others = (_words(Setting.of(model)) for model in models)
    return [word for word in first if all(word in words for words in others)]


def _number(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def _labels(models: Sequence[Model]) -> list[str]:
    """Short names of `models`: without what they all share, which the title says."""
    shared = _shared(models)
    labels = [
        "-".join([_network(model), *(w for w in _words(Setting.of(model)) if w not in shared)])
        for model in models
    ]
    return [
        model.path if labels.count(label) > 1 else label
        for model, label in zip(models, labels, strict=True)
    ]


def _network(model: Model) -> str:
    options = model.options
    groups = "" if options.groups is None else f"-g{options.groups}"
    scale = "" if options.scale is None else f"-x{options.scale}"
    return f"{options.network}{groups}{scale}"


def _machine(device: str, machine: Environment) -> Iterator[str]:
    """What was measured on; a reading that the system does not give is called missing."""
    memory = machine.total_memory_bytes
    temperature = machine.temperature_c
    load = machine.load_average
    yield (
        f"{device}: {machine.board or machine.processor or 'unknown processor'}, "
        f"{machine.cores or 'unknown number of'} cores, {machine.architecture}, "
        f"{f'{memory / 1e9:.1f} GB' if memory else 'memory size missing'}"
    )
    yield (
        f"governor {machine.governor or 'missing'}, "
        f"temperature {'missing' if temperature is None else f'{temperature:.0f} C'}, "
        f"load {'missing' if load is None else f'{load[0]:.2f}'}"
    )


def _notes(results: Results, paper: Paper) -> Iterator[str]:
    yield "latency: median over rounds of a round's median; spread: median absolute"
    yield "deviation of the rounds' medians; load, memory: in a process with no other model"
    yield "AlexNet / it: AlexNet's time by the model's, median of the ratios within rounds"
    yield f"paper: {paper.table.place}, measured on a {paper.table.device}"
    if results.environment.architecture not in _ARM:
        architecture = results.environment.architecture
        yield f"this is no ARM processor but {architecture}: the paper's ratios need not hold"
    if any(model.options.weights == "random" for model in results.models):
        yield "weights are random: the times are right, what it recognises means nothing"
