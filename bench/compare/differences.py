"""In what two measurements differ beside their times: machine, software, how was measured.

To compare different machines or engines is legitimate; not to say so is not.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from shufflenet_deploy.bench.analysis.wording import MISSING
from shufflenet_deploy.bench.results import Results, Timed


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that is not the same of A and B."""

    what: str
    a: str
    b: str


def differences(a: Results, b: Results) -> tuple[Difference, ...]:
    """All of them: device first, then software, parameters last."""
    facts_a, facts_b = dict(_facts(a)), dict(_facts(b))
    names = dict.fromkeys([*facts_a, *facts_b])
    pairs = ((name, facts_a.get(name, MISSING), facts_b.get(name, MISSING)) for name in names)
    return tuple(
        Difference(what=name, a=fact_a, b=fact_b)
        for name, fact_a, fact_b in pairs
        if fact_a != fact_b
    )


def _facts(results: Results) -> Iterator[tuple[str, str]]:
    machine = results.environment
    yield "device", results.target.board
    for name in ("board", "processor", "architecture", "cores", "kernel"):
        yield name, _text(getattr(machine, name))
    yield (
        "highest frequency",
        _text(sorted({f"{mhz:g} MHz" for mhz in machine.maximum_mhz.values()})),
    )
    yield "governor", _text(_governors(results))
    yield "python", machine.python_version
    for package, version in machine.package_versions.items():
        yield package, _text(version)
    for name in results.parameters.__struct_fields__:
        yield f"parameter {name}", _text(getattr(results.parameters, name))
    yield "ended", results.ended


def _governors(results: Results) -> list[str]:
    """Of any core at any time."""
    states = (state for run in results.runs if isinstance(run, Timed) for state in run.states)
    return sorted({governor for state in states for governor in state.governors.values()})


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or MISSING
    return MISSING if value is None else str(value)
