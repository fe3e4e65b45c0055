"""Have an emulator count instructions: ``python -m shufflenet_deploy.runtime.worker.counting``.

It reads a `Request` in JSON from stdin, loads the artifact, checks what it computes, and runs it
between marks, which the emulator's plugin (``bench/emulation/plugin.c``) answers with a reading of
its counters. It writes a `Counting` to stdout. Anywhere else the marks do nothing.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec

from shufflenet_deploy.runtime.endings import fail
from shufflenet_deploy.runtime.engines.given import GivenInput, UsedInput
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.machine.processor import limit_pools

MARKER = -1600085855
"""A descriptor that is no file's: closing it fails, and is what the plugin waits for."""

_Count = Annotated[int, msgspec.Meta(ge=1)]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be counted."""

    artifact: str
    """The artifact's path for this process."""
    engine: str | None = None
    """The name of the engine; None takes the first that runs the artifact's format."""
    inputs: tuple[GivenInput, ...] = ()
    """As of a `Spec`."""
    settle: _Count = 5
    """Runs before the first mark, until the engine has packed its weights and planned its memory,
    and Python has adapted most of its own code."""
    empty: _Count = 3
    """Pairs of marks with nothing between them: what the marks themselves cost."""
    inferences: _Count = 3
    """Pairs of marks with one inference between them, which come after the empty ones."""


class Counting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ran between the marks. It has no time: an emulated one is no latency."""

    sha256: str
    engine: str
    engine_version: str
    difference: float | None
    """The difference of the self-check, see `SelfCheck`; None for a file without a manifest."""
    inputs: tuple[UsedInput, ...]
    """As of a `ModelAnswer`."""


def main() -> None:
    """Exit codes: 0 done, 1 failed, 2 a request that is wrong."""
    try:
        request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
        answer = count(request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fail(f"the request is wrong: {error}", usage=True)
    except InferenceError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or 'input or output'}: {error.strerror}")
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")


def count(request: Request) -> Counting:
    """Load the artifact, and run it between marks.

    Raises `InferenceError` as `loading.load` does, and for an artifact that does not fit.
    """
    limit_pools(1)
    # Only now, since these import numpy, which starts its threads, as many as it was told.
    from shufflenet_deploy.runtime.worker.loading import load
    from shufflenet_deploy.runtime.worker.spec import Skipped

    path = Path(request.artifact)
    loaded = load(path, 1, _no_clock, _unknown, request.engine, given=request.inputs)
    assert not isinstance(loaded, Skipped)
    for _ in range(request.settle):
        loaded.run()
    gc.collect()
    gc.disable()  # or it would run in whichever inference comes next
    _between_marks(_nothing, request.empty)
    _between_marks(loaded.run, request.inferences)
    return Counting(
        sha256=loaded.sha256,
        engine=loaded.session.engine,
        engine_version=loaded.session.engine_version,
        difference=loaded.difference,
        inputs=loaded.inputs,
    )


def _between_marks(run: Callable[[], object], times: int) -> None:
    for _ in range(times):
        _mark()
        run()
        _mark()


def _mark() -> None:
    with contextlib.suppress(OSError):
        os.close(MARKER)


def _nothing() -> None:
    """Run nothing."""


def _no_clock() -> int:
    return 0


def _unknown() -> None:
    """Leave the memory to the host: the emulator takes more than the model needs on a device."""


if __name__ == "__main__":
    main()
