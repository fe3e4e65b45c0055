"""Python's garbage collector, kept from looking where there is nothing to collect."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

_TRACING = "torch.export._trace"
"""What `torch.export.export` imports when it is first called: most of its weight."""


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


def keep_what_is_there() -> None:
    """Have no collection look at what has been imported: not even the last, where Python ends.

    PyTorch's modules hold half a million objects, and to go through these once more took an export
    a sixth of its time (measured; for `gc.freeze` see the Python documentation). What comes after
    is collected as usual: some libraries complain where at their end something of theirs is left.
    """
    with suppress(ImportError):  # in another version of PyTorch it may have another name
        import_module(_TRACING)
    gc.freeze()
