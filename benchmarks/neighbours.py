"""Processes that run beside what is looked at, and take a core or the memory from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

# Each looks now and then whether its starter is still there: it may have been killed.
_WHILE = "import os\nstarter = os.getppid()\nwhile os.getppid() == starter: "
NEIGHBOURS = {
    "spin": f"{_WHILE}\n for _ in range(10**6): pass",
    "memory": f"import numpy as n\na = n.zeros(1 << 27)\nb = n.ones(1 << 27)\n{_WHILE}a[:] = b",
}
"""What runs beside: a core's arithmetic, or a gigabyte that is copied to another without end."""


@contextmanager
def running(names: Sequence[str]) -> Iterator[None]:
    """Have the neighbours of those names run meanwhile; one named twice runs twice."""
    with ExitStack() as stack:
        for name in names:
            process = subprocess.Popen([sys.executable, "-c", NEIGHBOURS[name]])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield
