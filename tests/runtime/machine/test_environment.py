from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.machine import environment
from shufflenet_deploy.runtime.machine.environment import read_environment

PI_4 = """\
processor\t: 0
BogoMIPS\t: 108.00
CPU implementer\t: 0x41
CPU part\t: 0xd08

processor\t: 1
CPU implementer\t: 0x41
CPU part\t: 0xd08

Revision\t: d03115
Model\t\t: Raspberry Pi 4 Model B Rev 1.5
"""


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_raspberry_pi(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", PI_4)
    put(tmp_path, "proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.5\0")
    put(tmp_path, "proc/meminfo", "MemTotal:        3884360 kB\nMemFree:  1 kB\n")
    put(tmp_path, "proc/sys/kernel/osrelease", "6.6.31+rpt-rpi-v8\n")
    put(tmp_path, "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "1500000\n")
    put(tmp_path, "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "600000\n")
    found = read_environment(tmp_path)
    assert found.board == "Raspberry Pi 4 Model B Rev 1.5"
    assert found.processor == "Cortex-A72"
    assert found.cores == 2
    assert found.total_memory_bytes == 3884360 * 1024
    assert found.kernel == "6.6.31+rpt-rpi-v8"
    assert found.maximum_mhz == {0: 1500.0}


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = read_environment(tmp_path)
    assert (found.board, found.processor, found.cores, found.kernel) == (None, None, None, None)
    assert (found.total_memory_bytes, found.maximum_mhz) == (None, {})


def test_this_machine() -> None:
    found = read_environment()
    assert found.cores
    assert found.total_memory_bytes
    assert found.package_versions["numpy"]
    assert "tflite-runtime" in found.package_versions


def test_a_pc_has_a_model_name(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", "processor : 0\nmodel name : AMD Ryzen 9: a name\n")
    assert environment.processor(tmp_path) == "AMD Ryzen 9: a name"


def test_cores_of_two_kinds_are_both_named_and_an_unknown_one_by_its_number(
    tmp_path: Path,
) -> None:
    put(tmp_path, "proc/cpuinfo", "CPU part: 0xd05\nCPU part: 0xd05\nCPU part: 0xfff\n")
    assert environment.processor(tmp_path) == "Cortex-A55 + ARM part 0xfff"


def test_only_cores_that_tell_have_a_highest_frequency(tmp_path: Path) -> None:
    cpu = "sys/devices/system/cpu"
    put(tmp_path, f"{cpu}/cpu0/cpufreq/cpuinfo_max_freq", "<unknown>\n")
    put(tmp_path, f"{cpu}/cpu0/cpufreq/scaling_max_freq", "1800000\n")
    put(tmp_path, f"{cpu}/cpu1/cpufreq/cpuinfo_max_freq", "0\n")
    put(tmp_path, f"{cpu}/cpu10/cpufreq/cpuinfo_max_freq", "2400000\n")
    put(tmp_path, f"{cpu}/cpu2/topology/core_id", "2\n")
    put(tmp_path, f"{cpu}/cpu0x/cpufreq/cpuinfo_max_freq", "1\n")
    assert environment.maximum_mhz(tmp_path) == {0: 1800.0, 10: 2400.0}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@given(text=st.text() | st.text("MemTotal: 0123456789kB\n-_.", max_size=30))
def test_no_text_of_the_system_breaks_the_reading(root: Path, text: str) -> None:
    for name in ("proc/cpuinfo", "proc/meminfo", "proc/device-tree/model"):
        put(root, name, text)
    put(root, "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", text)
    put(root, "proc/meminfo", f"MemTotal: {text}")
    read_environment(root)
