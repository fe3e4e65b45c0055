"""What a profiler saw."""

from __future__ import annotations

from typing import NamedTuple

from shufflenet_deploy.runtime.profiling.kinds import Operator


class Trace(NamedTuple):
    """The operators that an engine ran, and their times in each run."""

    operators: tuple[Operator, ...]
    """The operators in the order in which they run."""
    runs_ns: tuple[tuple[int, ...], ...]
    """For each run, in order, the time of each operator in ns."""
