"""The agent as a real process, told what to do as a host would, with workers that are scripts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from shufflenet_deploy.runtime.agent.lock import LOCKS
from waiting import HANG_SECONDS, is_running, unread_bytes, wait_until

DAY = 24 * 3600.0
# The agent on a clock that stands still until a test sets it: no machine is too slow for it.
_ON_A_CLOCK = """
import sys
from pathlib import Path
from shufflenet_deploy.runtime.agent.agent import Agent
folder, system, clock = map(Path, sys.argv[1:])
Agent(folder, 0, 1, system, lambda: float(clock.read_text())).serve()
"""
_IMPATIENT = """
from shufflenet_deploy.runtime.agent.agent import main
from shufflenet_deploy.runtime.machine import standstill
standstill.IDLE_SECONDS = 1.0
main()
"""


class Host:
    """An agent, and this end of its pipes; on the clock of the file `clock` where there is one."""

    def __init__(
        self, folder: Path, system: Path, clock: Path | None = None, impatient: bool = False
    ) -> None:
        command: list[str | Path] = [sys.executable, "-m", "shufflenet_deploy.runtime.agent"]
        if impatient:
            command = [sys.executable, "-c", _IMPATIENT]
        command += [folder, "--system", system]
        if clock:
            command = [sys.executable, "-c", _ON_A_CLOCK, folder, system, clock]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def say(self, kind: str, **values: object) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"type": kind, **values}).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self, *, alive: bool = False) -> dict[str, Any]:
        """The next message; of those that only say that it is there, none unless `alive`."""
        assert self.process.stdout
        while True:
            message: dict[str, Any] = json.loads(self.process.stdout.readline())
            if alive or message["type"] != "Alive":
                return message

    def begin(self, worker: str = "", **values: object) -> dict[str, Any]:
        self.say("Begin", host="a host", worker=[sys.executable, "-c", worker], **values)
        return self.hear()

    def await_heard(self) -> None:
        """Until it has read all that it was told."""
        assert self.process.stdin
        stdin = self.process.stdin
        wait_until(lambda: not unread_bytes(stdin))

    def leave(self) -> int:
        """The link ends."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.end()

    def end(self) -> int:
        """It ends by itself."""
        return self.process.wait(HANG_SECONDS)


class Clock:
    """Seconds in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seconds = 1000.0
        self.go_on(0)

    def go_on(self, seconds: float) -> None:
        """Replaced at once: who reads it has one time or the other."""
        self._seconds += seconds
        new = self.file.with_suffix(".new")
        new.write_text(str(self._seconds))
        new.replace(self.file)


Hosts = Callable[..., Host]


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A machine with two cores of one governor."""
    cpu = tmp_path / "system/sys/devices/system/cpu"
    (cpu / "cpufreq/policy0").mkdir(parents=True)
    (cpu / "cpufreq/policy0/scaling_governor").write_text("schedutil\n")
    for core in range(2):
        (cpu / f"cpu{core}").mkdir()
        (cpu / f"cpu{core}/cpufreq").symlink_to("../cpufreq/policy0")
    return tmp_path / "system"


@pytest.fixture
def governor(system: Path) -> Callable[[], str]:
    file = system / "sys/devices/system/cpu/cpufreq/policy0/scaling_governor"
    return lambda: file.read_text().strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ours; 'it"


@pytest.fixture
def host(folder: Path, system: Path) -> Iterator[Hosts]:
    """Starts agents; those that a test leaves running are ended."""
    with ExitStack() as stack:

        def start(
            folder: Path = folder, clock: Path | None = None, impatient: bool = False
        ) -> Host:
            started = Host(folder, system, clock, impatient)
            stack.callback(lambda: _end(started.process))
            return started

        yield start


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream
        with suppress(BrokenPipeError):
            stream.close()


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


def test_what_a_worker_says_and_answers_is_passed_on(host: Hosts) -> None:
    agent = host()
    script = "import sys; print('hm', file=sys.stderr); print(sys.stdin.read()); sys.exit(3)"
    assert agent.begin(script) == {"type": "Ready", "version": 1, "notes": []}
    for spec in ({"rounds": 1}, {"rounds": 2}):  # a new worker for each
        agent.say("Work", spec=spec)
        assert agent.hear() == {"type": "Said", "line": "hm"}
        ended = agent.hear()
        assert (ended["type"], ended["code"], json.loads(ended["answer"])) == ("Ended", 3, spec)
    assert agent.leave() == 0


def test_an_answer_larger_than_any_pipe_is_passed_on_whole(host: Hosts) -> None:
    agent = host()
    agent.begin("print('x' * 3_000_000)")
    agent.say("Work", spec={})
    assert len(agent.hear()["answer"]) == 3_000_001


def test_of_two_hosts_the_second_is_told_who_was_first(host: Hosts) -> None:
    first, second = host(), host()
    assert first.begin()["type"] == "Ready"
    second.say("Begin", host="another")
    busy = second.hear()
    assert busy["type"] == "Busy"
    assert re.fullmatch(r"a host, for \d+ min", busy["holder"])
    assert second.end() == 0
    assert first.leave() == 0
    assert host().begin()["type"] == "Ready"


def test_users_of_one_machine_measure_one_after_another(host: Hosts, tmp_path: Path) -> None:
    first, second = host(tmp_path / "of a"), host(tmp_path / "of b")
    assert first.begin()["type"] == "Ready"
    second.say("Begin", host="another")
    busy = second.hear()
    assert busy["type"] == "Busy"
    assert busy["holder"].startswith("another measurement, of ")
    assert busy["holder"].endswith(f"(process {first.process.pid})")
    assert second.end() == 0
    aside = host(tmp_path / "of c")
    assert aside.begin(machine=False)["type"] == "Ready"


def test_who_is_told_that_the_machine_is_taken_puts_nothing_back(
    host: Hosts, tmp_path: Path, governor: Callable[[], str]
) -> None:
    for name in "ab":
        killed = host(tmp_path / name)
        killed.begin(prepare=True)
        killed.process.kill()
        killed.process.wait()
        if name == "a":
            (tmp_path / "a/governor.json").rename(tmp_path / "saved")
    (tmp_path / "saved").rename(tmp_path / "a/governor.json")
    first = host(tmp_path / "b")
    first.begin(prepare=True)
    second = host(tmp_path / "a")
    assert second.begin()["type"] == "Busy"
    assert second.end() == 0
    assert governor() == "performance"


def test_a_trap_in_place_of_the_machines_lock_is_told(
    host: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOCKS, str(tmp_path))
    (tmp_path / "shufflenet-deploy.lock").symlink_to(tmp_path / "new")
    (note,) = host().begin()["notes"]
    assert note.startswith("nothing keeps other users off this device: ")
    assert not (tmp_path / "new").exists()


def test_the_lock_is_free_when_an_agent_is_killed(host: Hosts) -> None:
    first = host()
    first.begin()
    first.process.kill()
    first.process.wait()
    assert host().begin()["type"] == "Ready"


_SLEEPING = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
print(os.getpid(), child.pid, file=sys.stderr, flush=True)
time.sleep(3600)
"""


@pytest.mark.parametrize("end", ["link", signal.SIGTERM, "silence"])
def test_whatever_ends_an_agent_the_device_is_as_it_was(
    host: Hosts, governor: Callable[[], str], folder: Path, clock: Clock, end: object
) -> None:
    agent = host(clock=clock.file if end == "silence" else None)
    (note,) = agent.begin(
        _SLEEPING, prepare=True, silence_seconds=30 if end == "silence" else None
    )["notes"]
    assert note == "the governor is performance for this measurement, and then schedutil again"
    assert governor() == "performance"
    agent.say("Work", spec={})
    worker, child = map(int, agent.hear()["line"].split())
    assert is_running(worker)
    assert is_running(child)
    if end == "link":
        assert agent.leave() == 0
    elif end == "silence":
        clock.go_on(30.1)
        assert agent.end() == 0
    else:
        agent.process.send_signal(signal.SIGTERM)
        agent.process.send_signal(signal.SIGTERM)
        assert agent.end() == 1
    assert governor() == "schedutil"
    wait_until(lambda: not is_running(worker) and not is_running(child))
    assert not (folder / "governor.json").exists()


def test_a_host_that_speaks_is_not_silent(host: Hosts, clock: Clock) -> None:
    agent = host(clock=clock.file)
    agent.begin("print(1)", silence_seconds=30)
    for _ in range(6):
        clock.go_on(29)
        agent.say("Alive")
        agent.await_heard()
    clock.go_on(29)
    agent.say("Work", spec={})
    assert agent.hear()["code"] == 0


def test_it_says_that_it_is_there_where_there_is_nothing_else_to_say(
    host: Hosts, clock: Clock
) -> None:
    agent = host(clock=clock.file)
    agent.begin("print(1)")
    for _ in range(2):
        clock.go_on(5.1)
        assert agent.hear(alive=True) == {"type": "Alive"}
    agent.say("Work", spec={})
    assert agent.hear(alive=True)["code"] == 0


def test_a_worker_that_stands_still_is_ended_and_told(host: Hosts) -> None:
    agent = host(impatient=True)
    agent.begin("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    for _ in range(2):  # the device is as good as before
        agent.say("Work", spec={})
        assert re.match("error: the worker stood still: for . s it neither", agent.hear()["line"])
        assert agent.hear() == {"type": "Ended", "code": 1, "answer": ""}


def test_a_worker_may_sleep_as_long_as_it_was_told_to(host: Hosts) -> None:
    agent = host(impatient=True)
    agent.begin("import time; time.sleep(4); print(1)")
    agent.say("Work", spec={"rest_seconds": 60.0})
    assert agent.hear()["code"] == 0


def test_silence_is_timed_by_the_devices_own_clock(
    host: Hosts, governor: Callable[[], str]
) -> None:
    agent = host()
    agent.say("Begin", host="a host", prepare=True, silence_seconds=0.5)
    assert agent.end() == 0
    assert governor() == "schedutil"


def test_a_host_that_reads_nothing_cannot_keep_it(host: Hosts) -> None:
    agent = host()
    script = "import sys\nwhile True: print('x' * 100_000, file=sys.stderr, flush=True)"
    agent.begin(script)
    agent.say("Work", spec={})
    stdout = agent.process.stdout
    assert stdout
    wait_until(lambda: unread_bytes(stdout) > 60_000)  # the pipe is full
    assert agent.leave() == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_signals_of_a_terminal_that_closes_are_not_for_it(host: Hosts, number: int) -> None:
    agent = host()
    agent.begin("print(1)")
    agent.process.send_signal(number)
    agent.say("Work", spec={})
    assert agent.hear()["code"] == 0


def test_an_interrupt_asks_a_worker_and_a_second_ends_it(host: Hosts) -> None:
    agent = host()
    agent.begin(
        "import os, signal, sys, time\n"
        # No print: it cannot begin anew where the signal comes before the one below has ended.
        "def say(*_): os.write(2, b'in a moment\\n')\n"
        "signal.signal(signal.SIGINT, say)\n"
        "print('ready', file=sys.stderr, flush=True)\n"
        "while True: time.sleep(3600)"
    )
    agent.say("Interrupt")  # without a worker: nothing
    agent.say("Work", spec={})
    assert agent.hear()["line"] == "ready"
    agent.say("Interrupt")
    assert agent.hear()["line"] == "in a moment"
    agent.say("Interrupt")
    assert agent.hear()["code"] == -signal.SIGKILL


def test_a_governor_that_a_forerunner_left_is_put_back(
    host: Hosts, governor: Callable[[], str]
) -> None:
    killed = host()
    killed.begin(prepare=True)
    killed.process.kill()
    killed.process.wait()
    assert governor() == "performance"
    agent = host()
    agent.begin()
    assert governor() == "schedutil"


def test_a_second_host_leaves_the_governor_of_the_first(
    host: Hosts, governor: Callable[[], str]
) -> None:
    first, second = host(), host()
    first.begin(prepare=True)
    assert second.begin(prepare=True)["type"] == "Busy"
    assert second.end() == 0
    assert governor() == "performance"


def test_a_folder_that_cannot_be_written_is_told_and_measured_all_the_same(
    host: Hosts, tmp_path: Path, governor: Callable[[], str]
) -> None:
    (tmp_path / "file").write_text("")
    agent = host(tmp_path / "file/folder")
    ready = agent.begin("print(1)", prepare=True)
    nobody, prepared = ready["notes"]
    assert nobody.startswith("nothing keeps others off this device: cannot write to")
    assert "it stays schedutil: it could not be put back for sure, since" in prepared
    assert governor() == "schedutil"
    agent.say("Work", spec={})
    assert agent.hear()["code"] == 0


@pytest.mark.parametrize("clock", ["right", "past", "future"])
def test_only_what_was_not_used_for_long_is_removed_whatever_the_clock(
    host: Hosts, folder: Path, clock: str
) -> None:
    """The host's clock is right; a device's that is behind is one that the host is far ahead of."""
    now = time.time() + {"right": 0.0, "past": 3000 * DAY, "future": -3000 * DAY}[clock]
    for name, days in (("new", 0.0), ("recent", 29.0), ("old", 31.0), ("used", 31.0)):
        part = folder / "parts" / name
        part.mkdir(parents=True)
        (part / "file").write_text("")
        os.utime(part, (now - days * DAY,) * 2)
    (folder / "venvs/old").mkdir(parents=True)
    os.utime(folder / "venvs/old", (now - 31 * DAY,) * 2)
    agent = host()
    agent.begin("print(1)", clock=now)
    assert (folder / "parts/old").exists()  # another host may just be told that it is there
    agent.say("Work", spec={"artifacts": [str(folder / "parts/used/file"), "elsewhere"]})
    agent.hear()
    (folder / "parts/placed meanwhile").mkdir()
    os.utime(folder / "parts/placed meanwhile", (now - 9000 * DAY,) * 2)
    assert agent.leave() == 0
    left = {part.name for part in (folder / "parts").iterdir()}
    assert left == {"new", "recent", "used", "placed meanwhile"}
    assert not list((folder / "venvs").iterdir())
    assert (folder / "parts/used").stat().st_mtime == pytest.approx(now)


def test_what_it_runs_from_itself_is_in_use(folder: Path, system: Path) -> None:
    """As an environment of parts does."""
    part = folder / "parts/own"
    part.mkdir(parents=True)
    os.utime(part, (0, 0))
    command = [sys.executable, "-m", "shufflenet_deploy.runtime.agent", str(folder)]
    subprocess.run(
        [*command, "--system", str(system)],
        input=b'{"type":"Begin","host":"a host"}\n',
        env={**os.environ, "PYTHONPATH": str(part)},
        check=True,
        capture_output=True,
        timeout=HANG_SECONDS,
    )
    assert part.stat().st_mtime > time.time() - DAY
