"""A profile as tables for a person: by kind, by the engine's kernel, and the longest operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from shufflenet_deploy.bench.analysis.wording import MISSING, count, decimal
from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.presentation.terminal import drawn, show_lines, show_title
from shufflenet_deploy.runtime.command_line import print_table
from shufflenet_deploy.runtime.profiling.profile import (
    OVERHEAD,
    Group,
    Profile,
    ProfiledOperator,
    by_kind,
    by_operator,
    longest,
)

_LONGEST = 10
_TIME = (Column("ms"), Column("share (%)", "share\n%"))


def show(profile: Profile, console: Console) -> None:
    """Print on `console` where the time of `profile` goes."""
    show_title(_title(profile), console)
    for table in (
        _groups("kind", by_kind(profile)),
        _groups("kernel", by_operator(profile)),
        _operators(longest(profile, _LONGEST)),
    ):
        print_table(drawn(table), console)
        console.print()
    show_lines(_notes(profile), console)


def _title(profile: Profile) -> str:
    threads, runs = count(profile.threads, "thread"), count(profile.runs, "run")
    name = profile.artifact.rpartition("/")[2]
    return f"{name}, {profile.engine} {profile.engine_version}, {threads}, {runs}"


def _groups(heading: str, groups: Sequence[Group]) -> Table:
    columns = (Column(heading, words=True), Column("operators"), *_TIME)
    rows = tuple(
        (
            group.name,
            MISSING if group.name == OVERHEAD else str(group.operators),
            _ms(group.own_ns),
            _percent(group.share),
        )
        for group in groups
    )
    return Table(f"time by {heading}", columns, rows)


def _operators(operators: Sequence[ProfiledOperator]) -> Table:
    names = tuple(Column(heading, words=True) for heading in ("operator", "kind", "kernel"))
    rows = tuple(
        (
            operator.name,
            operator.kind,
            operator.operator,
            _ms(operator.own_ns),
            _percent(operator.share),
        )
        for operator in operators
    )
    return Table("longest operators", (*names, *_TIME), rows)


def _ms(time_ns: float) -> str:
    return decimal(time_ns, 3, 1e-6)


def _percent(share: float) -> str:
    return decimal(share, 1, 100)


def _notes(profile: Profile) -> Iterator[str]:
    yield (
        f"a run takes {_ms(profile.unprofiled_ns)} ms, "
        f"and {profile.profiler_ratio:.2f} times as long under the profiler"
    )
    if profile.surplus_ns:
        yield f"less {profile.surplus_ns / 1e3:.1f} us each: what the profiler adds to an operator"
    yield "engine overhead: what no operator accounts for"
