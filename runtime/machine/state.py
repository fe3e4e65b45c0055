"""What changes on a machine while it is measured. What it does not tell is None or absent."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from shufflenet_deploy.runtime.machine.cgroup import quota_statistics, throttled_periods
from shufflenet_deploy.runtime.machine.environment import cpufreq_folders
from shufflenet_deploy.runtime.machine.phone import Ask, PhoneState, find_phone, read_phone
from shufflenet_deploy.runtime.machine.reading import (
    ROOT,
    fields,
    integer,
    kilobytes,
    megahertz,
    read_text,
)

THROTTLED_SECONDS = 5.0
"""How long an answer of vcgencmd or of a phone's services stands: each costs a process."""
_VCGENCMD_SECONDS = 10.0
"""How long vcgencmd has to answer: it does within milliseconds, on a busy machine within two
seconds, or hangs."""
_NOW = 0b1111
"""The bits of `State.throttled` by which a Raspberry Pi tells of this moment."""
_MIN_SECONDS = 0.2
"""The shortest time to tell a load of: /proc/stat counts in hundredths of a second a core."""


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine's state at one moment. Sensors that are missing leave no entry."""

    seconds: float
    """Seconds since the worker began."""
    governors: dict[int, str]
    """Core -> the governor that sets its frequency, such as ``performance`` or ``ondemand``."""
    frequencies_mhz: dict[int, float]
    """Core -> its frequency at the moment, in MHz."""
    temperatures_c: dict[str, float]
    """Thermal zone -> its temperature in degrees Celsius."""
    throttled: int | None
    """The bits of a Raspberry Pi's `vcgencmd get_throttled`: 0 to 3 are under-voltage, frequency
    capped, throttled and soft temperature limit at the moment; 16 to 19 the same since boot."""
    load_average: tuple[float, float, float] | None
    """The load averages over 1, 5 and 15 minutes."""
    available_memory_bytes: int | None
    busy_seconds: float | None
    """Processor time of all cores together since boot, in seconds, this process included."""
    own_seconds: float
    """Processor time of this process, in seconds."""
    thermal_status: int | None = None
    """A phone's index of `phone.THERMAL_STATUS`; its battery's temperature is among the zones."""
    battery_ma: float | None = None
    """The current of a phone's battery, in mA."""
    throttled_periods: int | None = None
    """In how many periods a container's quota of processor time was used up, since it exists."""


class StateReader:
    """Reads this machine's state; cheap enough for once a second between timed runs.

    `clock` counts nanoseconds; seconds are counted from here on. Which cores and sensors there
    are is looked up once. `vcgencmd` prints a Raspberry Pi's throttled bits; where None is given
    the command is looked for, unless `root` is not this machine's; likewise `phone`, which asks a
    phone's services. Both are asked at most every `THROTTLED_SECONDS`, and vcgencmd never again
    once it has failed.
    """

    def __init__(
        self,
        clock: Callable[[], int] = time.perf_counter_ns,
        root: Path = ROOT,
        vcgencmd: Callable[[], str | None] | None = None,
        phone: Ask | None = None,
    ) -> None:
        self._clock = clock
        self._began = clock()
        self._root = root
        self._vcgencmd = find_vcgencmd() if vcgencmd is None and root == ROOT else vcgencmd
        self._bits: int | None = None
        self._asked: float | None = None
        self._phone = find_phone() if phone is None and root == ROOT else phone
        self._phone_state, self._phone_asked = PhoneState(), -THROTTLED_SECONDS
        self._policies: dict[Path, list[int]] = {}
        for core, folder in cpufreq_folders(root).items():
            self._policies.setdefault(folder, []).append(core)
        self._zones = _zones(root)
        self._quota_statistics = quota_statistics(root)

    def read(self) -> State:
        """The state now."""
        seconds = (self._clock() - self._began) / 1e9
        governors: dict[int, str] = {}
        frequencies: dict[int, float] = {}
        for folder, cores in self._policies.items():
            if governor := read_text(folder / "scaling_governor"):
                governors |= dict.fromkeys(cores, governor)
            if frequency := megahertz(read_text(folder / "scaling_cur_freq")):
                frequencies |= dict.fromkeys(cores, frequency)
        temperatures = {name: degrees(read_text(path)) for name, path in self._zones.items()}
        phone = self._ask_phone(seconds)
        if phone.battery_c is not None:
            temperatures["battery"] = phone.battery_c
        return State(
            seconds=seconds,
            governors=governors,
            frequencies_mhz=frequencies,
            temperatures_c={name: c for name, c in temperatures.items() if c is not None},
            throttled=self._throttled(seconds),
            load_average=load_average(read_text(self._root / "proc/loadavg")),
            available_memory_bytes=kilobytes(fields(self._root / "proc/meminfo", "MemAvailable")),
            busy_seconds=busy_seconds(read_text(self._root / "proc/stat")),
            own_seconds=time.process_time(),
            thermal_status=phone.thermal_status,
            throttled_periods=throttled_periods(self._quota_statistics),
            battery_ma=phone.battery_ma,
        )

    def _ask_phone(self, seconds: float) -> PhoneState:
        if self._phone and seconds - self._phone_asked >= THROTTLED_SECONDS:
            self._phone_asked, self._phone_state = seconds, read_phone(self._phone)
        return self._phone_state

    def _throttled(self, seconds: float) -> int | None:
        """The bits of vcgencmd, else those that the kernel shows.

        In this order, although the kernel's file is the cheaper: it clears the firmware's history
        every two seconds, so that "since boot" is lost there, and the first reading of the file
        puts a warning with a backtrace into the kernel's log (drivers/hwmon/raspberrypi-hwmon.c
        and drivers/firmware/raspberrypi.c of github.com/raspberrypi/linux).
        """
        if self._vcgencmd is not None and (
            self._asked is None or seconds - self._asked >= THROTTLED_SECONDS
        ):
            self._asked, self._bits = seconds, throttled_bits(self._vcgencmd())
            if self._bits is None:  # it is not allowed to ask the firmware, or hangs
                self._vcgencmd = None
        if self._vcgencmd is not None:
            return self._bits
        file = self._root / "sys/devices/platform/soc/soc:firmware/get_throttled"
        bits = throttled_bits(read_text(file))
        if bits is None:
            return None
        recent = (bits | bits >> 16) & 0xF  # its history is that of the last two seconds: now
        return recent | recent << 16


def find_vcgencmd() -> Callable[[], str | None] | None:
    """A function that runs ``vcgencmd get_throttled``; None where there is no such command."""
    command = shutil.which("vcgencmd")
    if command is None:
        return None
    call = [command, "get_throttled"]

    def ask() -> str | None:
        try:
            return subprocess.run(
                call, capture_output=True, text=True, errors="replace", timeout=_VCGENCMD_SECONDS
            ).stdout
        except (OSError, subprocess.TimeoutExpired):
            return None

    return ask


def throttled_bits(text: str | None) -> int | None:
    """``throttled=0x50005`` of vcgencmd or ``50005`` of the kernel as a number."""
    match = re.fullmatch(r"(?:throttled=0x|0x)?([0-9a-fA-F]{1,8})", (text or "").strip())
    return int(match[1], 16) if match else None


def degrees(text: str | None) -> float | None:
    """A thermal zone's temp in degrees Celsius; the file has thousandths of them.

    None for what no processor can have: it is how drivers answer for a sensor that is off.
    """
    thousandths = integer(text)
    if thousandths is None or not -40_000 < thousandths < 150_000:
        return None
    return thousandths / 1000


def load_average(text: str | None) -> tuple[float, float, float] | None:
    """Processes that ran or wanted to, over the last 1, 5 and 15 minutes, of /proc/loadavg."""
    match = re.match(r"(\d{1,9}\.\d+) (\d{1,9}\.\d+) (\d{1,9}\.\d+)", text or "", re.ASCII)
    return (float(match[1]), float(match[2]), float(match[3])) if match else None


def busy_seconds(text: str | None) -> float | None:
    """Processor time of all cores that was not idle, of /proc/stat's first line (proc_stat(5)).

    user, nice, system, irq, softirq, and steal: what other virtual machines took is lost here
    too. guest is contained in user. None where nothing was counted, as in some containers.
    """
    words = (text or "").partition("\n")[0].split()
    counts = [integer(word) for word in words[1:9]]
    if words[:1] != ["cpu"] or len(counts) < 3:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = counts + [0] * (8 - len(counts))
    parts = [part for part in (user, nice, system, irq, softirq, steal) if part is not None]
    busy = sum(parts) / os.sysconf("SC_CLK_TCK")
    return busy if len(parts) == 6 and busy > 0 else None


def other_load(first: State, last: State) -> float | None:
    """Cores that others kept busy on average between two states of one process.

    None where /proc/stat does not tell, or for a time too short to.
    """
    elapsed = last.seconds - first.seconds
    if first.busy_seconds is None or last.busy_seconds is None or elapsed < _MIN_SECONDS:
        return None
    own_seconds = last.own_seconds - first.own_seconds
    return max(0.0, (last.busy_seconds - first.busy_seconds - own_seconds) / elapsed)


def hottest_zone(state: State) -> str | None:
    """The zone of the highest temperature; None without a sensor."""
    zones = state.temperatures_c
    return max(zones, key=lambda zone: zones[zone], default=None)


def hottest_c(state: State) -> float | None:
    """The hottest zone's temperature in degrees Celsius; None without a sensor."""
    return max(state.temperatures_c.values(), default=None)


def used_frequencies(state: State, cores: Collection[int]) -> list[float]:
    """The frequencies in MHz of `cores`, or without any of all cores; empty without a sensor."""
    return [mhz for core, mhz in state.frequencies_mhz.items() if core in cores or not cores]


def is_throttled(state: State) -> bool | None:
    """Whether the processor was slowed down at that moment; None where nothing tells."""
    if (state.throttled, state.thermal_status) == (None, None):
        return None
    return bool((state.throttled or 0) & _NOW or state.thermal_status)


def _zones(root: Path) -> dict[str, Path]:
    """Thermal zone's type -> its reading; of a type's further zones with their number."""
    readings: dict[str, Path] = {}
    zones = (root / "sys/class/thermal").glob("thermal_zone[0-9]*")
    for zone in sorted(zones, key=lambda path: (len(path.name), path.name)):
        name = read_text(zone / "type") or zone.name
        if name in readings:
            name += " " + zone.name.removeprefix("thermal_zone")
        readings[name] = zone / "temp"
    return readings
