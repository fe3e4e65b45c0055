"""Where the time of a network goes, as a record, and what can be told from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from shufflenet_deploy.runtime.profiling.kinds import Kind
from shufflenet_deploy.runtime.profiling.trace import Trace

OVERHEAD: Kind = "engine overhead"


class ProfiledOperator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One operator as the engine ran it."""

    name: str
    operator: str
    """What the engine calls the operator's kernel."""
    kind: Kind
    median_ns: int
    """The median of the operator's time over the runs, in ns, as the engine's profiler had it."""
    own_ns: float
    """The time in ns that is left without what the profiler itself is estimated to have added."""
    share: float
    """The operator's part, from 0 to 1, of all own times, the engine's overhead among them."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the time of one network goes, on one engine."""

    engine: str
    engine_version: str
    artifact: str
    threads: int
    runs: int
    total_ns: int
    """The median time of a run under the profiler, in ns."""
    unprofiled_ns: int
    """The median time of a run without the profiler, in ns, in the same process and in turns."""
    profiler_ratio: float
    """A run's time under the profiler by its time without: the median of the turns' ratios, which a
    drift does not change."""
    surplus_ns: float
    """What was taken from each operator's time, in ns, because the profiler's cost is part of it; 0
    for LiteRT."""
    operators: tuple[ProfiledOperator, ...]
    """The operators in the order in which they run; the last is what no operator accounts for."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Operators that have something in common."""

    name: str
    operators: int
    own_ns: float
    share: float


def attribute(trace: Trace, rest_ns: float) -> tuple[float, tuple[ProfiledOperator, ...]]:
    """The surplus that each operator bears, in ns, and the operators, the overhead at their end.

    What no operator accounts for, `rest_ns`, is overhead. Where it is negative, it is taken from
    all operators alike; but no more from each than the shortest has, since what an operator does
    takes some time itself. Shares sum up to 1.
    """
    medians = [int(median(column)) for column in zip(*trace.runs_ns, strict=True)]
    surplus = min(max(0.0, -rest_ns) / max(len(medians), 1), min(medians, default=0))
    own_times_ns = [time_ns - surplus for time_ns in medians]
    rest = max(0.0, rest_ns)
    whole = sum(own_times_ns) + rest or 1.0
    operators = [
        ProfiledOperator(
            name=operator.name,
            operator=operator.operator,
            kind=operator.kind,
            median_ns=median_ns,
            own_ns=own_ns,
            share=own_ns / whole,
        )
        for operator, median_ns, own_ns in zip(trace.operators, medians, own_times_ns, strict=True)
    ]
    overhead = ProfiledOperator(
        name=OVERHEAD,
        operator=OVERHEAD,
        kind=OVERHEAD,
        median_ns=int(rest),
        own_ns=rest,
        share=rest / whole,
    )
    return surplus, (*operators, overhead)


def by_kind(profile: Profile) -> tuple[Group, ...]:
    """The kinds that occur, the longest first, the engine's overhead last."""
    return _grouped(profile.operators, lambda operator: operator.kind)


def by_operator(profile: Profile) -> tuple[Group, ...]:
    """The engine's kernels, the longest first, its overhead last."""
    return _grouped(profile.operators, lambda operator: operator.operator)


def longest(profile: Profile, count: int) -> tuple[ProfiledOperator, ...]:
    """The `count` operators that take most of the time, without the engine's overhead."""
    operators = [operator for operator in profile.operators if operator.kind != OVERHEAD]
    return tuple(sorted(operators, key=lambda operator: -operator.own_ns)[:count])


def _grouped(
    operators: Sequence[ProfiledOperator], key: Callable[[ProfiledOperator], str]
) -> tuple[Group, ...]:
    groups: dict[str, list[ProfiledOperator]] = {}
    for operator in operators:
        groups.setdefault(key(operator), []).append(operator)
    totals = [
        Group(
            name=name,
            operators=len(members),
            own_ns=sum(member.own_ns for member in members),
            share=sum(member.share for member in members),
        )
        for name, members in groups.items()
    ]
    return tuple(sorted(totals, key=lambda group: (group.name == OVERHEAD, -group.own_ns)))
