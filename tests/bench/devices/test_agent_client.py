"""The host's end of an agent: real agents, and processes that are none."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from shufflenet_deploy.bench.devices import agent_client
from shufflenet_deploy.bench.devices.agent_client import (
    AgentClient,
    AgentUnstartedError,
    DeviceLostError,
)
from shufflenet_deploy.runtime.agent.protocol import Begin
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.environment import read_environment
from shufflenet_deploy.runtime.worker.spec import Answer, Progress, Spec
from waiting import is_running, wait_until

ANSWER = Answer(
    threads=1,
    cores=None,
    stopped="rounds",
    environment=read_environment(),
    states=(),
    canary=None,
    peak_multiply_adds_per_second=None,
    skipped=(),
    models=(),
)
# Of an agent that is none: it says what a test wants it to, when it has been told to work.
FAKE = """
import json, os, sys, time
answer = sys.argv[1]
sys.stdin.readline()
def line_of(**message): return json.dumps(message, separators=(",", ":"))
def say(**message): print(line_of(**message), flush=True)
def begun():
    say(type="Ready")
    sys.stdin.readline()
"""


def no_failure(code: int, said: str) -> BenchError | None:
    return BenchError(f"no way: {said}") if code == 255 else None


def ignore(progress: Progress) -> None:
    pass


Start = Callable[..., AgentClient]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts sessions, with a real agent or with a `fake` one, and ends them with the test."""
    with ExitStack() as stack:

        def begin(fake: str | None = None, worker: str = "", preface: bytes = b"") -> AgentClient:
            command = [sys.executable, "-m", "shufflenet_deploy.runtime.agent", str(tmp_path)]
            if fake is not None:
                command = [sys.executable, "-c", FAKE + fake, msgspec.json.encode(ANSWER).decode()]
            told = Begin(host="a host", worker=(sys.executable, "-c", worker))
            client = AgentClient(command, "the board", no_failure, told, preface)
            stack.callback(client.close)
            return client

        yield begin


def test_a_device_that_is_taken_is_told_with_who_has_it(start: Start) -> None:
    start()
    with pytest.raises(
        BenchError, match=r"^the board is taken by a host, for \d+ min: wait until it is free, or"
    ):
        start()


@pytest.mark.parametrize("noise", ["print('Welcome!')", "sys.stdout.write('no end of line: ')"])
def test_what_a_shell_prints_before_is_passed_over(start: Start, noise: str) -> None:
    client = start(noise + "; begun(); say(type='Ended', code=0, answer=answer)")
    assert client.run(Spec(), ignore) == ANSWER


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        ("sys.exit('python3: not found')", r"^python3: not found$"),
        ("print('This account is not available.'); sys.exit(1)", r"^This account is not availab"),
        ("sys.exit(7)", r"^exit code 7$"),
    ],
)
def test_what_is_no_agent_did_not_start(start: Start, fake: str, message: str) -> None:
    with pytest.raises(AgentUnstartedError, match=message):
        start(fake)


def test_where_there_is_no_way_that_is_told_instead(start: Start) -> None:
    with pytest.raises(BenchError, match=r"^no way: refused$"):
        start("print('refused', file=sys.stderr); sys.exit(255)")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_client, "ALIVE_SECONDS", 0.2)
    monkeypatch.setattr(agent_client, "AGENT_SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(agent_client, "_LEAVE_SECONDS", 1.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("said", ["pass", "say(type='Said', line='begun')", "say(type='Alive')"])
def test_an_agent_that_falls_silent_is_a_device_that_is_lost(start: Start, said: str) -> None:
    client = start(f"begun(); {said}; time.sleep(60)")
    with pytest.raises(DeviceLostError, match=r"^the board has fallen silent: its agent, which"):
        client.run(Spec(), ignore)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "said",
    [
        "for _ in range(20): say(type='Alive'); time.sleep(0.1)\n"
        "say(type='Ended', code=0, answer=answer)",
        "line = line_of(type='Ended', code=0, answer=answer) + '\\n'\n"
        "for n in range(0, len(line), len(line) // 20):\n"
        "    sys.stdout.write(line[n : n + len(line) // 20]); sys.stdout.flush(); time.sleep(0.1)",
    ],
    ids=["it says so", "its answer comes over a slow link"],
)
def test_an_agent_that_is_there_is_waited_for(start: Start, said: str) -> None:
    assert start(f"begun()\n{said}").run(Spec(), ignore) == ANSWER


def test_an_agent_that_dies_is_a_device_that_is_lost(start: Start) -> None:
    progress = msgspec.json.encode(Progress(stage="round", done=1, total=2)).decode()
    client = start(
        worker="import os, sys, time; agent = os.getppid()\n"
        f"print({progress!r}, file=sys.stderr, flush=True)\n"
        "while os.getppid() == agent: time.sleep(0.1)"
    )
    with pytest.raises(
        DeviceLostError, match=r"^the board went away in the middle \(exit code -9\)$"
    ):
        client.run(Spec(), lambda progress: os.kill(client._process.pid, signal.SIGKILL))
    with pytest.raises(DeviceLostError):  # who asks again does not wait for ever
        client.run(Spec(), ignore)


def test_a_line_that_breaks_off_is_no_answer(start: Start) -> None:
    client = start("begun(); sys.stdout.write('{\"type\":\"Ended\"'); sys.exit('no more power')")
    with pytest.raises(DeviceLostError, match=r"went away in the middle \(no more power\)"):
        client.run(Spec(), ignore)


def test_what_is_no_message_is_shown_with_the_remedy(start: Start) -> None:
    client = start("begun(); print('rm:  who are you?', flush=True); sys.stdin.read()")
    with pytest.raises(
        BenchError, match=r"^the board says 'rm: who are you\?', where the agent.*~/.bashrc"
    ):
        client.run(Spec(), ignore)


def test_ctrl_c_within_a_line_loses_nothing_of_it(start: Start) -> None:
    """An answer has megabytes, and takes its time on a slow line."""
    progress = msgspec.json.encode(Progress(stage="round", done=1, total=1)).decode()
    client = start(
        "begun(); line = line_of(type='Ended', code=0, answer=answer)\n"
        f"first = line_of(type='Said', line={progress!r})\n"
        "sys.stdout.write(first + '\\n' + line[:50]); sys.stdout.flush()\n"
        "while json.loads(sys.stdin.readline())['type'] != 'Interrupt': pass\n"
        "print(line[50:])"
    )
    waiting = threading.get_ident()

    def press() -> None:
        wait_until(lambda: sys._current_frames()[waiting].f_code is AgentClient._next_line.__code__)
        signal.pthread_kill(waiting, signal.SIGINT)

    pressing = threading.Thread(target=press)
    answer = client.run(Spec(), lambda progress: pressing.start())  # half of the next line is there
    pressing.join()
    assert answer == msgspec.structs.replace(ANSWER, stopped="interrupted")


def test_the_preface_comes_before_all_messages(start: Start) -> None:
    client = start(
        "assert json.loads(sys.stdin.readline())['host'] == 'a host'; begun()\n"
        "say(type='Ended', code=0, answer=answer)",
        preface=b"a line for the script\n",
    )
    assert client.run(Spec(), ignore) == ANSWER


def test_to_close_ends_a_worker_that_still_runs(start: Start, tmp_path: Path) -> None:
    script = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
    client = start(worker=script + "time.sleep(3600)")
    threading.Thread(target=_run_to_the_end, args=(client,), daemon=True).start()
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and pid.read_text())
    client.close()
    assert not is_running(int(pid.read_text()))


def _run_to_the_end(client: AgentClient) -> None:
    with pytest.raises(BenchError):
        client.run(Spec(), ignore)


def test_what_is_no_program_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        AgentClient([str(tmp_path / "none")], "the board", no_failure, Begin(host="a host"))
