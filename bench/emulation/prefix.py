"""The files by which an emulated program sees another machine than this one.

QEMU's `-L` folder comes before the host's own file system. The library cpuinfo, by which both
engines choose their kernels, crashes where it finds an x86 processor's files on an ARM one.
"""

from __future__ import annotations

from pathlib import Path

from shufflenet_deploy.bench.emulation.processors import Processor

_CPU = "sys/devices/system/cpu"
_FREQUENCY_KHZ = "1500000\n"
"""The core's frequency in kHz. Any will do, as long as there is one: kernels are chosen by kind of
core."""


def write_prefix(folder: Path, processor: Processor) -> None:
    """Write to `folder` what a machine with one core of `processor` would say of itself."""
    for name, text in _files(processor).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _files(processor: Processor) -> dict[str, str]:
    core = f"{_CPU}/cpu0"
    return {
        "proc/cpuinfo": (
            "processor\t: 0\n"
            "BogoMIPS\t: 108.00\n"
            f"Features\t: {processor.features}\n"
            "CPU implementer\t: 0x41\n"
            "CPU architecture: 8\n"
            f"CPU variant\t: {processor.variant:#x}\n"
            f"CPU part\t: {processor.part:#x}\n"
            f"CPU revision\t: {processor.revision}\n\n"
        ),
        # A board's name there would be the host's.
        "proc/device-tree/model": "",
        **{f"{_CPU}/{name}": "0\n" for name in ("possible", "present", "online")},
        f"{_CPU}/kernel_max": "0\n",
        f"{core}/topology/physical_package_id": "0\n",
        f"{core}/topology/core_id": "0\n",
        f"{core}/topology/core_siblings": "1\n",
        f"{core}/topology/core_siblings_list": "0\n",
        f"{core}/topology/thread_siblings": "1\n",
        f"{core}/topology/thread_siblings_list": "0\n",
        f"{core}/cpufreq/cpuinfo_max_freq": _FREQUENCY_KHZ,
        f"{core}/cpufreq/cpuinfo_min_freq": _FREQUENCY_KHZ,
        f"{core}/regs/identification/midr_el1": f"{processor.midr:#018x}\n",
    }
