"""A profile as tables for a person: by kind, by the engine's kernel, and the longest operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shufflenet_deploy.runtime.profile import (
    OVERHEAD,
    Group,
    Profile,
    ProfiledOperator,
    by_kind,
    by_operator,
    longest,
)

MISSING = "-"
_LONGEST = 10


def show(profile: Profile, console: Console) -> None:
    """Print on `console` where the time of `profile` goes."""
    console.print(f"{_title(profile)}\n", style="bold", markup=False)
    for table in (
        _groups("kind", by_kind(profile)),
        _groups("kernel", by_operator(profile)),
        _operators(longest(profile, _LONGEST)),
    ):
        console.print(table, "")
    for note in _notes(profile):
        console.print(note, markup=False)


def _title(profile: Profile) -> str:
    threads = f"{profile.threads} thread{'' if profile.threads == 1 else 's'}"
    name = profile.artifact.rpartition("/")[2]
    return f"{name}, {profile.engine} {profile.engine_version}, {threads}, {profile.runs} runs"


def _groups(heading: str, groups: Sequence[Group]) -> Table:
    table = _table(heading, "operators", "ms", "share\n%")
    for group in groups:
        operators = MISSING if group.name == OVERHEAD else str(group.operators)
        table.add_row(escape(group.name), operators, _ms(group.own_ns), _percent(group.share))
    return table


def _operators(operators: Sequence[ProfiledOperator]) -> Table:
    table = _table("operator", "kind", "kernel", "ms", "share\n%")
    for operator in operators:
        table.add_row(
            escape(operator.name),
            operator.kind,
            escape(operator.operator),
            _ms(operator.own_ns),
            _percent(operator.share),
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold", vertical="bottom")
    for heading in others:
        words = heading in ("kind", "kernel")
        table.add_column(heading, justify="left" if words else "right", overflow="fold")
    return table


def _ms(time_ns: float) -> str:
    return f"{time_ns / 1e6:.3f}"


def _percent(share: float) -> str:
    return f"{share * 100:.1f}"


def _notes(profile: Profile) -> Iterator[str]:
    yield (
        f"a run takes {_ms(profile.unprofiled_ns)} ms, "
        f"and {profile.profiler_ratio:.2f} times as long under the profiler"
    )
    if profile.surplus_ns:
        yield f"less {profile.surplus_ns / 1e3:.1f} us each: what the profiler adds to an operator"
    yield "engine overhead: what no operator accounts for"
