"""The memory that this process has needed, and that a model will need."""

from __future__ import annotations

from pathlib import Path

from shufflenet_deploy.runtime.manifest import Footprint

_COPIES = 2
_BASE_BYTES = 100_000_000


def peak_memory_bytes() -> int | None:
    """The largest resident set of this process so far; None where the system does not say.

    VmHWM (proc_pid_status(5)) and not ru_maxrss, which a child inherits from its parent at
    fork and which then shows the parent's size.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def needed_bytes(size_bytes: int, footprint: Footprint | None) -> int:
    """What to have free before a model is loaded from a file of `size_bytes`.

    That is what its process needed on the exporting host, some 60 MB for Python and the engine
    among it: where they are in memory already, this much is left for the system. Where nobody
    measured, the file twice, since engines keep the weights once as they are and once packed for
    their kernels, and 100 MB for the engine and the activations. (AlexNet at 224, a file of
    244 MB: 450 MB on ONNX Runtime, 519 MB on LiteRT.)
    """
    if footprint is not None and footprint.peak_memory_bytes is not None:
        return footprint.peak_memory_bytes
    return _COPIES * size_bytes + _BASE_BYTES
