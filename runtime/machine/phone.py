"""What an Android phone tells of its battery and of its heat, to whoever has a shell on it.

Such a user may read few of the kernel's own files, so its services are asked: `dumpsys battery`,
`dumpsys thermalservice` and `cmd battery get current_now`
(developer.android.com/tools/dumpsys; android.os.PowerManager for the thermal status).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

THERMAL_STATUS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""Names of the numbers 0 to 6: from `light` on, the system may slow the processor down."""
_SECONDS = 10.0
"""How long a phone's services have to answer: they do within a fiftieth of it, on a phone that is
busy within a fifth, or hang."""
_MIN_C, _MAX_C = -40.0, 150.0

Ask = Callable[[Sequence[str]], str | None]


@dataclass(frozen=True)
class PhoneState:
    """A phone at one moment; None is what it does not tell."""

    battery_c: float | None = None
    battery_ma: float | None = None
    """The current of the battery in mA; makers differ in what its sign means."""
    thermal_status: int | None = None
    """How far the phone is throttled by heat: an index of `THERMAL_STATUS`."""


def find_phone() -> Ask | None:
    """What asks the phone that this is, and what has hung never again; None where it is none."""
    hung = set[tuple[str, ...]]()

    def ask(command: Sequence[str]) -> str | None:
        if tuple(command) in hung:
            return None
        try:
            return _ask(command)
        except subprocess.TimeoutExpired:
            hung.add(tuple(command))
            return None

    return ask if shutil.which("dumpsys") else None


def read_phone(ask: Ask) -> PhoneState:
    """What the phone tells now. `ask` runs a command and gives its output, None for none."""
    return PhoneState(
        battery_c=battery_c(ask(("dumpsys", "battery"))),
        battery_ma=battery_ma(ask(("cmd", "battery", "get", "current_now"))),
        thermal_status=thermal_status(ask(("dumpsys", "thermalservice"))),
    )


def battery_c(dump: str | None) -> float | None:
    """Degrees Celsius of `dumpsys battery`, which has tenths of them."""
    match = re.search(r"^\s*temperature: (-?\d{1,6})\s*$", dump or "", re.MULTILINE | re.ASCII)
    value = int(match[1]) / 10 if match else None
    return value if value is not None and _MIN_C < value < _MAX_C else None


def battery_ma(text: str | None) -> float | None:
    """Milliamperes of a number of microamperes; 0 is what a phone without that sensor says."""
    match = re.fullmatch(r"\s*(-?\d{1,9})\s*", text or "", re.ASCII)
    return int(match[1]) / 1000 or None if match else None


def thermal_status(dump: str | None) -> int | None:
    """The number of `dumpsys thermalservice`."""
    match = re.search(r"^\s*Thermal Status: (\d)\s*$", dump or "", re.MULTILINE | re.ASCII)
    return int(match[1]) if match and int(match[1]) < len(THERMAL_STATUS) else None


def _ask(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
