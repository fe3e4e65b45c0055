"""Threads and cores of this process. To be settled first: see `limit_pools` and `pin`."""

from __future__ import annotations

import os
from collections.abc import MutableMapping, Sequence
from pathlib import Path

from shufflenet_deploy.runtime.errors import InferenceError

POOLS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""The environment variables by which numpy's libraries are told how many threads to start."""


def limit_pools(threads: int, variables: MutableMapping[str, str] = os.environ) -> None:
    """Have the thread pools of this process be of `threads`, whatever the user had set.

    Without effect once numpy has been imported: its libraries read the variables then.
    """
    variables.update(dict.fromkeys(POOLS, str(threads)))


def allowed_cores() -> tuple[int, ...] | None:
    """The cores on which this process may run; None where the system does not say."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return tuple(sorted(os.sched_getaffinity(0)))


def pin(cores: Sequence[int]) -> tuple[int, ...] | None:
    """Let this process run on `cores` only, where any are given; return `allowed_cores`.

    Threads inherit this from the one that starts them, so it comes before numpy and the engines.
    Raises `InferenceError` for a core that is not there or not allowed, and on a system that
    pins no process.
    """
    allowed = allowed_cores()
    if not cores:
        return allowed
    if allowed is None:
        raise InferenceError("this system pins no process to cores: name none", usage=True)
    here = f"there are {_listed(allowed)}"
    missing = sorted(set(cores) - set(allowed))
    if missing:
        raise InferenceError(f"no core {_listed(missing)} for the worker: {here}", usage=True)
    try:
        os.sched_setaffinity(0, cores)
    except OSError as error:
        reason = f"cannot pin the worker to the cores {_listed(cores)}: {error.strerror}; {here}"
        raise InferenceError(reason, usage=True) from None
    return allowed_cores()


def change_core() -> None:
    """Move the calling thread to the next of the cores that it may use, if there are several.

    It is not bound to stay there: where something else wants that core, the system decides.
    """
    allowed = allowed_cores()
    current = _current_core()
    if allowed is None or current not in allowed or len(allowed) < 2:
        return
    following = allowed[(allowed.index(current) + 1) % len(allowed)]
    try:
        os.sched_setaffinity(0, (following,))
        os.sched_setaffinity(0, allowed)
    except OSError:  # a core that was taken away meanwhile: what is left is allowed already
        return


def _current_core() -> int | None:
    """On which the calling thread runs: field 39 of its stat, see proc(5)."""
    try:
        stat = Path("/proc/thread-self/stat").read_text()
        return int(stat.rpartition(")")[2].split()[36])
    except (OSError, IndexError, ValueError):
        return None


def _listed(cores: Sequence[int]) -> str:
    return ", ".join(map(str, cores))
