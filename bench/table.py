"""Results as tables for a person: verdicts, ratios, and every model's times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shufflenet_deploy.bench.claims import Paper
from shufflenet_deploy.bench.counted import described
from shufflenet_deploy.bench.estimates import half_width_percent
from shufflenet_deploy.bench.front import most_accurate
from shufflenet_deploy.bench.native import typical_ms
from shufflenet_deploy.bench.networks import Network
from shufflenet_deploy.bench.results import Results
from shufflenet_deploy.bench.summary import (
    Estimate,
    ModelSummary,
    PairSummary,
    Setting,
    Summary,
    Verdict,
)
from shufflenet_deploy.bench.warnings import notes

MISSING = "-"
_PIPED_WIDTH = 200
_COLOURS = {
    "supported": "green",
    "exceeded": "cyan",
    "contradicted": "red",
    "inconclusive": "yellow",
}


def stdout_console() -> Console:
    """Where the tables go. Piped, no line is broken, so that grep finds whole rows."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPED_WIDTH)


def show(results: Results, summary: Summary, paper: Paper, console: Console) -> None:
    """Print on `console` what `results` and their `summary` say."""
    for line in (*_machine(results), ""):
        console.print(line, markup=False)
    for title, table in _tables(results, summary, paper):
        console.print(f"{title}\n", style="bold", markup=False)
        console.print(table, "")
    for verdict in summary.verdicts:
        if verdict.outcome == "inconclusive":
            where = " ".join(_words(verdict.setting))
            line = f"{paper.claim(verdict.claim).title}, {where}: {verdict.reason}"
            console.print(line, markup=False)
    for warning in summary.warnings:
        console.print(f"warning: {warning.evidence}: {warning.remedy}", markup=False)
    for note in (*_legend(results, paper), *notes(results)):
        console.print(note, markup=False)


def show_budget(summary: Summary, budget_ms: float, console: Console) -> None:
    """Print the most accurate network that takes at most `budget_ms`, for each setting."""
    best = most_accurate(summary, budget_ms)
    if not best:
        console.print(
            "--budget-ms: nothing that was measured has a published error; see --suite variants"
        )
    for setting, point in best.items():
        where = " ".join(_words(setting))
        if point is None:
            line = f"within {budget_ms:g} ms on {where}: none"
        else:
            model = summary.models[point.model]
            line = (
                f"within {budget_ms:g} ms on {where}: {model.label}, "
                f"{_number(model.latency_ms.value if model.latency_ms else None, 2)} ms, "
                f"top-1 error {point.top1_error_percent:g} % ({point.source})"
            )
        console.print(line, style="bold", markup=False)


def _tables(results: Results, summary: Summary, paper: Paper) -> Iterator[tuple[str, Table]]:
    """Of each setting its models and their ratios; then what compares settings; then verdicts."""
    pairs: dict[Setting | None, list[PairSummary]] = {}
    for pair in summary.pairs:
        above, below = (summary.models[index] for index in (pair.numerator, pair.denominator))
        key = above.setting if above.setting == below.setting else None
        pairs.setdefault(key, []).append(pair)
    for setting in dict.fromkeys(model.setting for model in summary.models):
        rows = [model for model in summary.models if model.setting == setting]
        if results.target.latency:
            yield ", ".join(_words(setting)), _models_table(rows)
        else:
            yield f"{', '.join(_words(setting))}; emulated: no latency", _counts_table(rows)
        if native := _native_table(results, rows):
            yield "LiteRT's benchmark_model, another harness: in no ratio and no claim", native
        if setting in pairs:
            yield (
                "ratios of these times, within rounds",
                _pairs_table(results, summary, pairs[setting], paper),
            )
    if None in pairs:
        yield "ratios of times, within rounds", _pairs_table(results, summary, pairs[None], paper)
    for id in dict.fromkeys(verdict.claim for verdict in summary.verdicts):
        claim = paper.claim(id)
        verdicts = [verdict for verdict in summary.verdicts if verdict.claim == id]
        band = f"above {claim.low:g}" if claim.high is None else f"{claim.low:g} to {claim.high:g}"
        title = f"{claim.title}: the paper says {claim.says}, which holds for {band}"
        yield title, _verdicts_table(verdicts, paper)


def _models_table(rows: Sequence[ModelSummary]) -> Table:
    table = _table(
        "model",
        "M mult-\nadds",
        "latency\nms",
        "±\n%",
        "p90\nms",
        "p99\nms",
        "cold\nms",
        "load\nms",
        "RAM\nMB",
        "% of\npeak",
    )
    for row in rows:
        memory = row.peak_memory_bytes
        table.add_row(
            escape(row.label),  # a path may hold brackets, which are markup here
            _number(row.multiply_adds, 1, 1e-6),
            _number(row.latency_ms.value if row.latency_ms else None, 2),
            _number(half_width_percent(row.latency_ms) if row.latency_ms else None, 1),
            _number(row.p90_ms, 2),
            _number(row.p99_ms, 2),
            _number(row.cold_ms, 2),
            _number(row.load_ms, 1),
            _number(memory, 0, 1e-6),
            _number(row.share_of_peak, 0, 100),
        )
    return table


def _native_table(results: Results, rows: Sequence[ModelSummary]) -> Table | None:
    """What `benchmark_model` said of models, where it was asked."""
    table = _table("model", "median or\nmean ms", "min\nms", "first\nms", "init\nms", "processes")
    for row in rows:
        found = [
            one
            for one in results.native
            if (one.member, one.threads) == (row.model, row.setting.threads)
        ]
        if found:
            table.add_row(
                escape(row.label),
                _number(typical_ms(found), 2),
                _number(min(one.minimum_ms for one in found), 2),
                _number(median(one.first_ms for one in found), 2),
                _number(median(one.init_ms for one in found), 1),
                str(len(found)),
            )
    return table if table.row_count else None


def _counts_table(rows: Sequence[ModelSummary]) -> Table:
    """What an emulated processor tells of models."""
    headings = ["M mult-\nadds", "M instructions,\nemulated", "by mult-\nadd"]
    has_caches = any(row.counted and row.counted.cache for row in rows)
    if has_caches:
        headings += ["M data\naccesses", "M L1\nmisses", "M L2\nmisses"]
    table = _table("model", *headings)
    for row in rows:
        counted = row.counted
        cells = [
            _number(row.multiply_adds, 1, 1e-6),
            _number(counted.instructions if counted else None, 2, 1e-6),
            _number(
                counted.instructions / row.multiply_adds if counted and row.multiply_adds else None,
                3,
            ),
        ]
        if has_caches:
            cache = counted.cache if counted else None
            cells += [
                _number(cache.accesses if cache else None, 2, 1e-6),
                _number(cache.l1_misses if cache else None, 3, 1e-6),
                _number(cache.l2_misses if cache else None, 3, 1e-6),
            ]
        table.add_row(escape(row.label), *cells)
    return table


def _pairs_table(
    results: Results, summary: Summary, pairs: Sequence[PairSummary], paper: Paper
) -> Table:
    table = _table("model / model", "ratio", "95% interval", "paper")
    for pair in pairs:
        above, below = (summary.models[index] for index in (pair.numerator, pair.denominator))
        names = [
            one.label if above.setting == below.setting else f"{one.label} ({one.setting.engine})"
            for one in (above, below)
        ]
        table.add_row(
            escape(" / ".join(names)),
            f"{pair.ratio.value:.3f}",
            _interval(pair.ratio, 3),
            _number(_published(results, summary, pair, paper), 2),
        )
    return table


def _published(results: Results, summary: Summary, pair: PairSummary, paper: Paper) -> float | None:
    """The same ratio in the paper's table."""
    points = []
    for index in (pair.numerator, pair.denominator):
        options = results.models[summary.models[index].model].options
        point = paper.table.point(Network.of(options), options.input_size) if options else None
        if point is None:
            return None
        points.append(point)
    return points[0][1] / points[1][1]


def _verdicts_table(verdicts: Sequence[Verdict], paper: Paper) -> Table:
    table = _table(
        "setting",
        "measured",
        "95% interval",
        f"paper's\n{paper.table.place}",
        "in\ntheory",
        "verdict",
    )
    for verdict in verdicts:
        measured = verdict.measured
        table.add_row(
            escape(" ".join(_words(verdict.setting))),
            _number(measured.value if measured else None, 2),
            _interval(measured, 2),
            _number(verdict.paper_table, 2),
            _number(verdict.theoretical, 2),
            f"[{_COLOURS[verdict.outcome]}]{verdict.outcome}[/]",
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column(first, overflow="fold", vertical="bottom")
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _words(setting: Setting) -> list[str]:
    """What names a setting; the default lowering goes without saying."""
    size = "x".join(map(str, setting.input_size)) if setting.input_size else None
    lowering = None if setting.lowering == "fast" else setting.lowering
    threads = f"{setting.threads} thread{'' if setting.threads == 1 else 's'}"
    return [word for word in (setting.engine, size, setting.precision, lowering, threads) if word]


def _number(value: float | None, digits: int, scale: float = 1) -> str:
    return MISSING if value is None else f"{value * scale:.{digits}f}"


def _interval(estimate: Estimate | None, digits: int) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return MISSING
    return f"{estimate.low:.{digits}f} to {estimate.high:.{digits}f}"


def _machine(results: Results) -> Iterator[str]:
    """What was measured on."""
    machine = results.environment
    memory = machine.total_memory_bytes
    cores = f"{machine.cores or 'unknown number of'} core{'' if machine.cores == 1 else 's'}"
    yield (
        f"{results.target.board}: {machine.board or machine.processor or 'unknown processor'}, "
        f"{cores}, {machine.architecture}, "
        f"{f'{memory / 1e9:.1f} GB' if memory else 'memory size missing'}"
    )


def _legend(results: Results, paper: Paper) -> Iterator[str]:
    skipped = [model for model in results.models if model.skipped]
    yield from (f"not measured: {model.skipped}" for model in skipped)
    if not results.target.latency:
        if any(model.probe and model.probe.counted for model in results.models):
            yield "instructions: of one inference with one thread, counted by QEMU; no latency"
        else:
            yield "each model was loaded and its output checked; a time would be no latency"
        for caches in dict.fromkeys(
            model.probe.counted.cache.caches
            for model in results.models
            if model.probe and model.probe.counted and model.probe.counted.cache
        ):
            yield f"caches: {described(caches)}"
        return
    yield "latency: mean over processes of each one's median, with half its 95% interval;"
    yield "cold: straight after another model; load, RAM: in a process with no other model;"
    yield "peak: of a matrix multiplication on this processor"
    yield f"paper: {paper.table.place}, measured on a {paper.table.device}"
