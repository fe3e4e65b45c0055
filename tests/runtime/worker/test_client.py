"""Starting processes of ours: real ones, which answer, fail, die, hang and are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shufflenet_deploy.runtime.errors import ProcessError
from shufflenet_deploy.runtime.machine import standstill
from shufflenet_deploy.runtime.worker import process
from shufflenet_deploy.runtime.worker.client import run, run_worker
from shufflenet_deploy.runtime.worker.isolation import PREFIX
from shufflenet_deploy.runtime.worker.spec import Progress, Spec

SECONDS = 60.0


def script(text: str) -> list[str]:
    """The command of a process that does `text`."""
    return [sys.executable, "-c", "import os, signal, subprocess, sys, time\n" + text]


def prefix_of(text: str) -> list[str]:
    """A prefix behind which every module is `text`: the words after it are its arguments."""
    return script(text)


def await_(happens: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_answers_and_reports(artifact: Path) -> None:
    reports: list[Progress] = []
    answer = run_worker(Spec(artifacts=(str(artifact),), rounds=2), report=reports.append)
    (model,) = answer.models
    assert len(model.bursts) == 2
    assert reports[0] == Progress(stage="load", done=0, total=1)
    assert reports[-1] == Progress(stage="round", done=2, total=2)


def test_a_prefix_says_where_a_worker_runs(artifact: Path) -> None:
    prefix = ["env", "OMP_NUM_THREADS=1", *PREFIX]
    (model,) = run_worker(Spec(artifacts=(str(artifact),), rounds=0), prefix).models
    assert model.difference is not None


def test_what_a_worker_refuses_is_told_in_its_words_and_as_usage() -> None:
    with pytest.raises(ProcessError, match=r"^no artifact none: export it") as caught:
        run_worker(Spec(artifacts=("none",)))
    assert caught.value.usage


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"^the worker died \(SIGSEGV\); it said nothing$"),
        ("os.kill(os.getpid(), signal.SIGKILL)", r"died \(SIGKILL, which is .* out of memory\);"),
        ("sys.exit(3)", r"died \(exit code 3\); it said nothing$"),
        ("raise MemoryError", r"died \(exit code 1\); its last line: MemoryError$"),
        ("sys.exit('error: what was wrong')", r"^what was wrong$"),
        ("", "answer cannot be read"),
        ("os.write(1, os.urandom(1 << 20))", "answer cannot be read"),
        ("print('[]')", "answer cannot be read"),
        ("print('{\"version\":1}')", "of another version of shufflenet-deploy"),
    ],
)
def test_ways_to_fail(text: str, message: str) -> None:
    with pytest.raises(ProcessError, match=message) as caught:
        run_worker(Spec(), prefix_of(text))
    assert not caught.value.usage
    assert len(str(caught.value)) < 300


def test_what_is_no_program_is_told_by_its_name() -> None:
    with pytest.raises(FileNotFoundError, match="/nowhere/python"):
        run(["/nowhere/python"])


def test_a_question_and_an_answer_may_be_larger_than_any_pipe() -> None:
    echo = script("sys.stdout.buffer.write(sys.stdin.buffer.read())")
    assert run(echo, b"x" * (1 << 22)) == b"x" * (1 << 22)


@pytest.mark.parametrize("end", [r"\n", ""], ids=["lines", "one line"])
def test_however_much_is_said_on_stderr_it_is_heard_and_not_kept(end: str) -> None:
    text = f"""
for number in range(1 << 10):
    sys.stderr.write('x' * (1 << 14) + '{end}')
sys.exit('\\nerror: at last')
"""
    with pytest.raises(ProcessError, match=r"^at last$"):
        run(script(text))


def test_stderr_that_a_child_keeps_open_does_not_keep_us() -> None:
    text = """
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
print("done")
"""
    began = time.monotonic()
    assert run(script(text)) == b"done\n"
    assert time.monotonic() - began < 15


def test_what_is_shown_is_heard_by_the_user_alone(capfd: pytest.CaptureFixture[str]) -> None:
    program = script("print('at work', file=sys.stderr); print('result'); sys.exit('error: no')")
    with pytest.raises(ProcessError, match=r"it died \(exit code 1\)") as caught:
        run(program, who="it", shown=True)
    assert caught.value.ending == "exit code 1"
    captured = capfd.readouterr()
    assert captured.err == "at work\nerror: no\n"
    assert captured.out == ""


# It says who it and its child are, and waits for the interrupt as `stubborn` or not.
_PARENT = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
if {stubborn}: signal.signal(signal.SIGINT, signal.SIG_IGN)
with open({file!r} + '+', 'w') as told: told.write(f'{{os.getpid()}} {{child.pid}}')
os.rename({file!r} + '+', {file!r})
time.sleep(60)
"""


def _pids(file: Path) -> list[int]:
    await_(file.exists)
    return [int(word) for word in file.read_text().split()]


@pytest.mark.parametrize("stubborn", [False, True])
def test_ctrl_c_ends_it_and_its_children(tmp_path: Path, stubborn: bool) -> None:
    file = tmp_path / "pids"

    def press() -> None:
        await_(file.exists)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(script(_PARENT.format(file=str(file), stubborn=stubborn)), grace_seconds=1.0)
    thread.join()
    pids = _pids(file)
    await_(lambda: not any(map(is_there, pids)))


def test_who_stops_it_from_another_thread_gets_the_same(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    with pytest.raises(KeyboardInterrupt):
        run(
            script(_PARENT.format(file=str(file), stubborn=False)),
            stopped=file.exists,
            grace_seconds=0.0,
        )
    pids = _pids(file)
    await_(lambda: not any(map(is_there, pids)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_the_one_that_started_it_ends_all_below(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Also where what is below has started processes in turn, in groups of their own."""
    file = tmp_path / "pids"
    inner = script(_PARENT.format(file=str(file), stubborn=False))
    start = "from shufflenet_deploy.runtime.worker.client import run\n"
    middle = script(f"{start}run({inner!r})")
    outer = script(
        f"{start}signal.signal(signal.SIGINT, signal.default_int_handler)\nrun({middle!r})"
    )
    with subprocess.Popen(outer, stderr=subprocess.DEVNULL) as process:
        try:
            pids = _pids(file)
            process.send_signal(number)
            assert process.wait(SECONDS) != 0
        finally:
            process.kill()
    await_(lambda: not any(map(is_there, pids)))


def test_a_worker_that_stands_still_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "IDLE_SECONDS", 1.0)
    text = "sys.stderr.write('here\\n'); sys.stderr.flush(); os.kill(os.getpid(), signal.SIGSTOP)"
    with pytest.raises(ProcessError, match=r"^the worker stood still: for . s it neither .* ended"):
        run_worker(Spec(), prefix_of(text))


def test_only_workers_may_not_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "IDLE_SECONDS", 0.5)
    assert run(script("time.sleep(2); print(1)")) == b"1\n"


def test_a_worker_that_answers_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_ANSWER_BYTES", 1 << 20)
    text = "os.write(1, b'x' * (2 << 20)); time.sleep(60)"
    with pytest.raises(ProcessError, match=r"^the worker answers with more than 1 MiB"):
        run_worker(Spec(), prefix_of(text))
