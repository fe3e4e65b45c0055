"""What operating systems do differently, in one place.

Each is asked for what it has, not for its name: Linux has all of it, macOS binds no process to
cores, Windows has neither SIGHUP nor groups of processes, and its ssh shares no connections.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

ENDING_SIGNALS: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""What ends a process from outside, besides Ctrl-C."""
HAS_GROUPS = hasattr(os, "killpg")
"""Whether a process and its children can be ended together."""
MEASURES_ITSELF = hasattr(os, "sched_getaffinity")
"""Whether workers can be bound to cores, without which this machine is not measured."""
_LOOK_SECONDS = 0.02


def shares_connections() -> bool:
    """Whether one connection of ssh serves several commands, by a socket that is a file."""
    import socket  # which other commands need not wait for

    return hasattr(socket, "AF_UNIX")


def group_options() -> dict[str, Any]:
    """Options for `subprocess.Popen`, by which `interrupt` and `kill` reach that process alone."""
    if HAS_GROUPS:
        return {"process_group": 0}
    import subprocess

    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ask `process` to end, as Ctrl-C does."""
    process.send_signal(signal.SIGINT if HAS_GROUPS else getattr(signal, "CTRL_BREAK_EVENT", 2))


def kill(process: subprocess.Popen[bytes]) -> None:
    """End `process`, with its children where the system groups them."""
    if not HAS_GROUPS:
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # nobody is left
        os.killpg(process.pid, signal.SIGKILL)


def wait_readable(descriptor: int, seconds: float) -> None:
    """Until there is something to read, or about `seconds` have gone."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(seconds * 1e3)
    else:
        time.sleep(min(seconds, _LOOK_SECONDS))


def is_over(process_id: int) -> bool | None:
    """Whether a process has ended; None where that cannot be asked."""
    if not HAS_GROUPS:
        return None  # there signal 0 is Ctrl-C, and would end it
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # another user's
        return False
    return False


def user_id() -> int | None:
    """The number of the user by whom this process is run; None where users have none."""
    return os.geteuid() if hasattr(os, "geteuid") else None
