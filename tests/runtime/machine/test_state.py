from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shufflenet_deploy.runtime.machine import state
from shufflenet_deploy.runtime.machine.reading import megahertz
from shufflenet_deploy.runtime.machine.state import (
    State,
    StateReader,
    hottest_c,
    hottest_zone,
    other_load,
)

Put = Callable[[str, str], None]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes a file of the machine whose root is `tmp_path`."""

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


def clock_of(*seconds: float) -> Callable[[], int]:
    """A clock that shows these, one after the other."""
    readings: Iterator[float] = iter(seconds)
    return lambda: int(next(readings) * 1e9)


def a_policy(root: Path, put: Put, number: int, cores: tuple[int, ...], mhz: int) -> None:
    """A frequency that `cores` share, as Linux shows it."""
    folder = f"sys/devices/system/cpu/cpufreq/policy{number}"
    put(f"{folder}/scaling_governor", "ondemand\n")
    put(f"{folder}/scaling_cur_freq", f"{mhz}000\n")
    for core in cores:
        (root / f"sys/devices/system/cpu/cpu{core}").mkdir(parents=True)
        link = root / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        link.symlink_to(f"../cpufreq/policy{number}")


def test_a_raspberry_pi(tmp_path: Path, put: Put) -> None:
    a_policy(tmp_path, put, 0, (0, 1, 2, 3), 1500)
    put("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    put("sys/class/thermal/thermal_zone0/temp", "48686\n")
    put("proc/loadavg", "0.52 0.58 0.59 1/467 12345\n")
    put("proc/meminfo", "MemTotal: 3884360 kB\nMemFree: 1 kB\nMemAvailable:    3000000 kB\n")
    put("proc/stat", "cpu  100 20 30 9999 888 4 5 6 77 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n")
    reader = StateReader(clock_of(5, 7.5), tmp_path, lambda: "throttled=0x50005\n")
    read = reader.read()
    assert read == State(
        seconds=2.5,
        governors=dict.fromkeys(range(4), "ondemand"),
        frequencies_mhz=dict.fromkeys(range(4), 1500.0),
        temperatures_c={"cpu-thermal": 48.686},
        throttled=0x50005,
        load_average=(0.52, 0.58, 0.59),
        available_memory_bytes=3000000 * 1024,
        busy_seconds=1.65,  # neither idle, nor waiting for a disk, nor guests, which user contains
        own_seconds=read.own_seconds,
    )


def test_cores_of_two_kinds_have_frequencies_of_their_own(tmp_path: Path, put: Put) -> None:
    a_policy(tmp_path, put, 0, (0, 1), 1800)
    a_policy(tmp_path, put, 2, (2,), 2400)
    put("sys/devices/system/cpu/cpufreq/policy2/scaling_governor", "performance\n")
    put("sys/devices/system/cpu/cpuidle/cpufreq", "no core\n")
    read = StateReader(root=tmp_path).read()
    assert read.frequencies_mhz == {0: 1800.0, 1: 1800.0, 2: 2400.0}
    assert read.governors == {0: "ondemand", 1: "ondemand", 2: "performance"}


def test_zones_of_one_type_are_told_apart_and_those_that_do_not_read_are_absent(
    tmp_path: Path, put: Put
) -> None:
    zones = {0: ("soc", "41000"), 1: ("soc", "45500"), 2: ("gpu", "N/A"), 3: ("off", "-273000")}
    for number, (kind, text) in zones.items():
        put(f"sys/class/thermal/thermal_zone{number}/type", kind)
        put(f"sys/class/thermal/thermal_zone{number}/temp", text)
    put("sys/class/thermal/thermal_zone10/temp", "40000")
    read = StateReader(root=tmp_path).read()
    assert read.temperatures_c == {"soc": 41.0, "soc 1": 45.5, "thermal_zone10": 40.0}
    assert (hottest_zone(read), hottest_c(read)) == ("soc 1", 45.5)


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    read = StateReader(root=tmp_path).read()
    assert (read.governors, read.frequencies_mhz, read.temperatures_c) == ({}, {}, {})
    assert (read.throttled, read.load_average, read.busy_seconds) == (None, None, None)
    assert read.available_memory_bytes is None
    assert (hottest_zone(read), hottest_c(read)) == (None, None)


def test_a_core_that_goes_offline_has_no_frequency_any_more(tmp_path: Path, put: Put) -> None:
    a_policy(tmp_path, put, 0, (0,), 1500)
    reader = StateReader(root=tmp_path)
    assert reader.read().frequencies_mhz == {0: 1500.0}
    (tmp_path / "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq").unlink()
    assert reader.read().frequencies_mhz == {}


def test_this_machine() -> None:
    reader = StateReader()
    read = reader.read()
    assert read.busy_seconds
    assert read.available_memory_bytes
    assert 0 <= read.seconds <= reader.read().seconds
    assert msgspec.json.decode(msgspec.json.encode(read), type=State) == read


class TestThrottled:
    """Where a Raspberry Pi's bits come from."""

    FILE = "sys/devices/platform/soc/soc:firmware/get_throttled"

    def test_the_command_is_asked_once_in_five_seconds(self, tmp_path: Path) -> None:
        answers = count(1)
        reader = StateReader(
            clock_of(0, 0, 1, 4.9, 5, 9.9, 10.1), tmp_path, lambda: f"throttled={next(answers):#x}"
        )
        assert [reader.read().throttled for _ in range(6)] == [1, 1, 1, 2, 2, 3]

    @pytest.mark.parametrize("answer", [None, "", "VCHI initialization failed"])
    def test_a_command_that_fails_is_not_asked_again(
        self, tmp_path: Path, answer: str | None
    ) -> None:
        answers = iter([answer])
        reader = StateReader(clock_of(0, 0, 60), tmp_path, lambda: next(answers))
        assert [reader.read().throttled for _ in range(2)] == [None, None]

    @pytest.mark.parametrize(("text", "bits"), [("0", 0), ("50005", 0x50005), ("10000", 0x10001)])
    def test_the_kernel_s_history_is_of_the_last_two_seconds(
        self, tmp_path: Path, put: Put, text: str, bits: int
    ) -> None:
        put(self.FILE, f"{text}\n")
        assert StateReader(root=tmp_path).read().throttled == bits

    def test_the_command_comes_before_the_kernel(self, tmp_path: Path, put: Put) -> None:
        put(self.FILE, "0\n")
        command = StateReader(root=tmp_path, vcgencmd=lambda: "throttled=0x50000")
        assert command.read().throttled == 0x50000
        assert StateReader(root=tmp_path, vcgencmd=lambda: None).read().throttled == 0

    def test_the_command_is_found_on_the_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert state.find_vcgencmd() is None
        command = tmp_path / "vcgencmd"
        command.write_text('#!/bin/sh\necho "throttled=0x$#$1"\n')
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        ask = state.find_vcgencmd()
        assert ask is not None
        assert ask() == "throttled=0x1get_throttled\n"

    def test_a_command_that_hangs_or_is_gone_has_no_answer(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        command = tmp_path / "vcgencmd"
        command.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(state, "_VCGENCMD_SECONDS", 0.1)
        ask = state.find_vcgencmd()
        assert ask is not None
        assert ask() is None
        command.unlink()
        assert ask() is None


NOW = State(
    seconds=10.0,
    governors={},
    frequencies_mhz={},
    temperatures_c={},
    throttled=None,
    load_average=None,
    available_memory_bytes=None,
    busy_seconds=100.0,
    own_seconds=5.0,
)


def test_other_load_is_what_this_process_did_not_do() -> None:
    later = replace(NOW, seconds=14.0, busy_seconds=109.0, own_seconds=8.0)
    assert other_load(NOW, later) == 1.5


def test_other_load_is_not_below_nothing_where_the_two_clocks_differ() -> None:
    later = replace(NOW, seconds=14.0, busy_seconds=103.9, own_seconds=9.0)
    assert other_load(NOW, later) == 0.0


def test_other_load_is_unknown_without_processor_times_and_over_too_little_time() -> None:
    later = replace(NOW, seconds=14.0, busy_seconds=109.0)
    assert other_load(replace(NOW, busy_seconds=None), later) is None
    assert other_load(NOW, replace(later, busy_seconds=None)) is None
    assert other_load(NOW, replace(later, seconds=10.1)) is None


# Garbage that is close to what the kernel writes finds more than garbage does.
GARBAGE = st.none() | st.text() | st.text("0123456789.-+ xcputhroled=\n\0", max_size=40)


@given(text=GARBAGE)
def test_no_text_breaks_a_parser(text: str | None) -> None:
    for parse in (
        state.throttled_bits,
        state.degrees,
        state.load_average,
        state.busy_seconds,
        megahertz,
    ):
        value = parse(text)
        assert value is None or msgspec.json.decode(msgspec.json.encode(value)) is not None


@given(celsius=st.integers(-39_999, 149_999))
def test_every_temperature_that_a_processor_may_have_is_read(celsius: int) -> None:
    assert state.degrees(str(celsius)) == celsius / 1000


@given(bits=st.integers(0, 2**32 - 1))
def test_bits_are_read_in_both_spellings(bits: int) -> None:
    assert state.throttled_bits(f"throttled={bits:#x}\n") == bits
    assert state.throttled_bits(f"{bits:x}\n") == bits


@given(counts=st.lists(st.integers(0, 10**9), min_size=7, max_size=10))
def test_busy_time_is_all_but_idle_and_waiting(counts: list[int]) -> None:
    line = "cpu  " + " ".join(map(str, counts)) + "\ncpu0 1 1 1 1\n"
    busy = (sum(counts[:3]) + sum(counts[5:8])) / 100
    assert state.busy_seconds(line) == (pytest.approx(busy) if busy else None)


@pytest.mark.parametrize(
    "text", ["cpu", "cpu 1 2", "cpu 0 0 0 0 0 0 0 0", "cpu0 1 2 3 4", "cpu a b c"]
)
def test_a_line_without_counts_is_no_time(text: str) -> None:
    assert state.busy_seconds(text) is None
