"""Set the cores' governor to performance, and put back what was there, whatever happens.

What was there is written to a file before anything is changed. Whoever finds such a file has had a
forerunner that was killed, or the power failed, and puts it back first.
"""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from pathlib import Path

import msgspec

from shufflenet_deploy.runtime.files import staged
from shufflenet_deploy.runtime.machine.environment import cpufreq_folders
from shufflenet_deploy.runtime.machine.reading import ROOT, read_text

WANTED = "performance"
_SUDO_SECONDS = 10.0
_FILE = "scaling_governor"
_PLACES = (f"cpu/cpufreq/policy*/{_FILE}", f"cpu/cpu*/cpufreq/{_FILE}")
"""Where the kernel has governors (Documentation/admin-guide/pm/cpufreq.rst)."""
_GOVERNOR = re.compile(r"[a-z_]{1,15}", re.ASCII)
"""What a governor may be called: the kernel's names have up to 15 letters."""


class Governor:
    """The governors of the machine whose file system begins at `root`; `saved` is our file."""

    def __init__(self, saved: Path, root: Path = ROOT) -> None:
        self._saved = saved
        self._root = root

    def prepare(self) -> str:
        """Set all cores to performance; what came of it, for the user."""
        folders = set(cpufreq_folders(self._root).values())
        files = sorted(folder / _FILE for folder in folders)
        before = {file: name for file in files if (name := read_text(file))}
        if not before:
            return "the governor is not prepared: this device has none that can be seen"
        change = {file: name for file, name in before.items() if name != WANTED}
        if not change:
            return f"the governor was {WANTED} already"
        names = ", ".join(sorted(set(change.values())))
        try:
            with staged(self._saved) as temporary:
                temporary.write_bytes(msgspec.json.encode({str(f): n for f, n in change.items()}))
        except OSError as error:
            return (
                f"the governor is not prepared, it stays {names}: it could not be put back for "
                f"sure, since {self._saved} cannot be written ({error.strerror})"
            )
        failed = {reason for file in change if (reason := _write(file, WANTED))}
        if failed:
            self.restore()
            return (
                f"the governor is not prepared, it stays {names}: {failed.pop()}; set it by hand, "
                "or let this user run sudo without a password"
            )
        return f"the governor is {WANTED} for this measurement, and then {names} again"

    def restore(self) -> tuple[str, ...]:
        """Put back what was there; why that failed, of each core that it failed of.

        What cannot be put back stays on record for the next. Of a record only governors are put
        back, and only where this machine has governors: it may be anybody's.
        """
        try:
            before = msgspec.json.decode(self._saved.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ()
        left = {}
        failed = []
        for name, governor in before.items():
            file = Path(name)
            if not self._is_governors(file) or not _GOVERNOR.fullmatch(governor):
                failed.append(f"{name!r}: no governor's file, or no governor: it is left alone")
            elif reason := _write(file, governor):
                left[name] = governor
                failed.append(reason)
        with suppress(OSError):
            if left:
                with staged(self._saved) as temporary:
                    temporary.write_bytes(msgspec.json.encode(left))
            else:
                self._saved.unlink(missing_ok=True)
        return tuple(failed)

    def _is_governors(self, file: Path) -> bool:
        """Whether a core's governor is in `file`, by its place: it may be gone with its core."""
        cores = self._root / "sys/devices/system/cpu"
        return any(
            file.match(pattern) and file.is_relative_to(cores) and ".." not in file.parts
            for pattern in _PLACES
        )


def _write(file: Path, governor: str) -> str | None:
    """Write `governor` to `file`, as root where that is needed; why it failed."""
    if read_text(file) == governor:
        return None
    try:
        file.write_text(governor)
    except PermissionError:
        return _write_as_root(file, governor)
    except OSError as error:
        return f"{file}: {error.strerror}"
    return None


def _write_as_root(file: Path, governor: str) -> str | None:
    try:
        done = subprocess.run(
            ["sudo", "-n", "tee", str(file)],
            input=governor.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SUDO_SECONDS,
        )
    except FileNotFoundError:
        return "it takes root, and there is no sudo"
    except (OSError, subprocess.TimeoutExpired):
        return "it takes root, and sudo does not answer"
    if done.returncode:
        return " ".join(done.stderr.decode(errors="replace").split()) or "sudo refused"
    return None
