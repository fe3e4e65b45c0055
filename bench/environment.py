"""What the measured machine is, and in what state it is. What it does not tell is None."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

ROOT = Path("/")
_PACKAGES = ("shufflenet-deploy", "numpy", "onnxruntime", "ai-edge-litert", "tflite-runtime")

# Linux names no ARM core, only its number (the MIDR register's part number, "CPU part").
_ARM_CORES = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd49": "Neoverse-N2",
}


class Environment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine and its state before the measurement; None is what it does not tell."""

    board: str | None
    """A board's own name, as its device tree gives it; PCs have none."""
    processor: str | None
    architecture: str
    cores: int | None
    kernel: str | None
    total_memory_bytes: int | None
    governor: str | None
    """Of the first core's frequency."""
    temperature_c: float | None
    """Of the hottest thermal zone."""
    load_average: tuple[float, float, float] | None
    """Over 1, 5 and 15 minutes."""
    python_version: str
    package_versions: dict[str, str | None]


def read_environment(root: Path = ROOT) -> Environment:
    """The environment of this machine, whose file system begins at `root`."""
    return Environment(
        board=board(root),
        processor=processor(root),
        architecture=platform.machine(),
        cores=cores(root),
        kernel=_text(root / "proc/sys/kernel/osrelease"),
        total_memory_bytes=total_memory_bytes(root),
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        temperature_c=temperature_c(root),
        load_average=load_average(root),
        python_version=platform.python_version(),
        package_versions={name: _package_version(name) for name in _PACKAGES},
    )


def board(root: Path = ROOT) -> str | None:
    """The board's own name, such as ``Raspberry Pi 4 Model B Rev 1.4``."""
    name = _text(root / "proc/device-tree/model")
    return name.rstrip("\0") if name else None


def processor(root: Path = ROOT) -> str | None:
    """The processor's model, or on ARM the names of its kinds of core."""
    names = _fields(root / "proc/cpuinfo", "model name")
    if names:
        return names[0]
    parts = dict.fromkeys(_fields(root / "proc/cpuinfo", "CPU part"))
    return " + ".join(_ARM_CORES.get(part, f"ARM part {part}") for part in parts) or None


def cores(root: Path = ROOT) -> int | None:
    """Processors that the system runs, threads of one core counted each."""
    return len(_fields(root / "proc/cpuinfo", "processor")) or None


def total_memory_bytes(root: Path = ROOT) -> int | None:
    """All memory that the system has for use."""
    values = _fields(root / "proc/meminfo", "MemTotal")
    return int(values[0].split()[0]) * 1024 if values else None  # in "kB" of 1024 bytes


def temperature_c(root: Path = ROOT) -> float | None:
    """The hottest thermal zone's temperature, in degrees Celsius."""
    readings = []
    for zone in (root / "sys/class/thermal").glob("thermal_zone*/temp"):
        try:
            readings.append(int(_text(zone) or "") / 1000)
        except ValueError:  # a zone that is there and gives no reading
            continue
    return max(readings, default=None)


def load_average(root: Path = ROOT) -> tuple[float, float, float] | None:
    """Processes that ran or wanted to, over the last 1, 5 and 15 minutes."""
    text = _text(root / "proc/loadavg")
    if text is None:
        return None
    one, five, fifteen = (float(word) for word in text.split()[:3])
    return one, five, fifteen


def _fields(path: Path, key: str) -> list[str]:
    """The values of the lines ``key : value``; none where the file cannot be read."""
    pairs = (line.partition(":") for line in (_text(path) or "").splitlines())
    return [value.strip() for name, _, value in pairs if name.strip() == key]


def _text(path: Path) -> str | None:
    """A file's text, stripped; None where it cannot be read or is empty."""
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:  # also a sensor that is there and does not answer
        return None


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
