"""The memory that this process has needed."""

from __future__ import annotations

from pathlib import Path


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
