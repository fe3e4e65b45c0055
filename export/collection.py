"""Python's garbage collector, kept from looking where there is nothing to collect."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Collect nothing meanwhile.

    What imports and tracing make by the hundred thousand stays, and is gone through again and again
    as it grows: a tenth of an export's time (measured).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def no_collection_at_exit() -> None:
    """Have the end of this process look for no garbage: it gives everything back at once.

    What PyTorch leaves is else gone through one last time, which took an export a tenth of its time
    (measured; for `gc.freeze` see the Python documentation).
    """
    atexit.register(gc.freeze)
