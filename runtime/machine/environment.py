"""What the measured machine is; `state` has what changes. What it does not tell is None."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from shufflenet_deploy.runtime import PROJECT
from shufflenet_deploy.runtime.engines import distributions
from shufflenet_deploy.runtime.machine.cgroup import usable_cores
from shufflenet_deploy.runtime.machine.reading import (
    ROOT,
    fields,
    integer,
    kilobytes,
    megahertz,
    read_text,
)

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
    """A machine; None is what it does not tell."""

    board: str | None
    """The board's own name, see `board`; PCs have none."""
    processor: str | None
    architecture: str
    cores: int | None
    kernel: str | None
    total_memory_bytes: int | None
    maximum_mhz: dict[int, float]
    """Core -> the highest frequency in MHz that it is made for; empty where not told."""
    python_version: str
    package_versions: dict[str, str | None]
    usable_cores: float | None = None
    """How many of the cores the worker may use, by its affinity and a container's quota, 1.5 being
    one and half of another's time; None in results of former versions too."""


def read_environment(root: Path = ROOT) -> Environment:
    """The environment of this machine, whose file system begins at `root`."""
    return Environment(
        board=board(root),
        processor=processor(root),
        architecture=platform.machine(),
        cores=cores(root),
        kernel=read_text(root / "proc/sys/kernel/osrelease"),
        total_memory_bytes=total_memory_bytes(root),
        maximum_mhz=maximum_mhz(root),
        python_version=platform.python_version(),
        package_versions={name: _package_version(name) for name in packages()},
        usable_cores=usable_cores(root),
    )


def board(root: Path = ROOT) -> str | None:
    """The board's own name, such as ``Raspberry Pi 4 Model B Rev 1.4``, from its device tree.

    A phone hides its device tree, and its name is a property instead of a file: whoever reads a
    phone's environment puts what ``getprop`` answers in this one's place.
    """
    name = read_text(root / "proc/device-tree/model") or ""
    return name.rstrip("\0") or None


def processor(root: Path = ROOT) -> str | None:
    """The processor's model, or on ARM the names of its kinds of core."""
    names = fields(root / "proc/cpuinfo", "model name")
    if names:
        return names[0]
    parts = dict.fromkeys(fields(root / "proc/cpuinfo", "CPU part"))
    return " + ".join(_ARM_CORES.get(part, f"ARM part {part}") for part in parts) or None


def cores(root: Path = ROOT) -> int | None:
    """Processors that the system runs, threads of one core counted each."""
    return len(fields(root / "proc/cpuinfo", "processor")) or None


def total_memory_bytes(root: Path = ROOT) -> int | None:
    """All memory that the system has for use."""
    return kilobytes(fields(root / "proc/meminfo", "MemTotal"))


def maximum_mhz(root: Path = ROOT) -> dict[int, float]:
    """Core -> the highest frequency that it is made for, in MHz; only cores that tell.

    cpuinfo_max_freq, since scaling_max_freq falls while the kernel itself cools a core, and a
    fallen frequency is to be noticed (kernel: admin-guide/pm/cpufreq.rst).
    """
    frequencies = {}
    for core, folder in cpufreq_folders(root).items():
        for name in ("cpuinfo_max_freq", "scaling_max_freq"):
            if frequency := megahertz(read_text(folder / name)):
                frequencies[core] = frequency
                break
    return frequencies


def cpufreq_folders(root: Path = ROOT) -> dict[int, Path]:
    """Core -> where the kernel tells its frequency; cores that share one share the folder."""
    folders = {}
    for folder in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq"):
        core = integer(folder.parent.name.removeprefix("cpu"))
        if core is not None:
            folders[core] = folder.resolve()
    return dict(sorted(folders.items()))


def packages() -> tuple[str, ...]:
    """The distributions whose versions matter to a measurement."""
    return (PROJECT, "numpy", *distributions())


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
