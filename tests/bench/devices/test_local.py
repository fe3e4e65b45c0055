from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from shufflenet_deploy.bench.devices.local import LocalDevice
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.environment import read_environment
from shufflenet_deploy.runtime.worker.spec import ANSWER_VERSION, Answer, Progress, Spec, WarmUp
from waiting import HANG_SECONDS, is_running, wait_until

TINY = "shufflenet-v1-g3-x0.25-32x32-fp32"
SPEC = Spec(artifacts=("none",))


Local = Callable[..., LocalDevice]
Scripted = Callable[[str], LocalDevice]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    """Makes devices that are let go at the test's end; with a lock of their own, since another
    test may be measuring."""
    with ExitStack() as stack:

        def make(*worker: str) -> LocalDevice:
            device = LocalDevice(worker, folder=tmp_path / "agent")
            stack.callback(device.close)
            return device

        yield make


@pytest.fixture
def scripted(local: Local) -> Scripted:
    """Makes a device whose worker is a script, in a real process; ANSWER is one without models."""
    answer = Answer(
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
    preface = f"import os, signal, sys, time\nANSWER = {msgspec.json.encode(answer).decode()!r}\n"
    return lambda script: local(sys.executable, "-c", preface + script)


def ignore(progress: Progress) -> None:
    pass


@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_a_real_worker_answers_and_reports(
    local: Local, tiny_artifacts: Path, format_: str
) -> None:
    device = local()
    artifact = Artifact.open(tiny_artifacts / f"{TINY}.{format_}")
    reports: list[Progress] = []
    answer = device.run(Spec(artifacts=(device.put(artifact.path),), rounds=3), reports.append)
    assert answer.stopped == "rounds"
    assert [len(burst.samples_ns) for burst in answer.models[0].bursts] == [3, 3, 3]
    assert reports[0] == Progress(stage="load", done=0, total=1)
    assert reports[-1] == Progress(stage="round", done=3, total=3)


def test_put_gives_a_path_that_holds_in_any_folder(
    local: Local, tiny_artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_artifacts)
    assert local().put(Path(f"{TINY}.onnx")) == str(tiny_artifacts.resolve() / f"{TINY}.onnx")


def test_an_answer_larger_than_any_pipe_arrives(local: Local, tiny_artifacts: Path) -> None:
    spec = Spec(
        artifacts=(str(tiny_artifacts / f"{TINY}.tflite"),),
        rounds=200,
        warm_up=WarmUp(minimum=0, maximum=0),
        untimed=0,
        timed=100,
    )
    (model,) = local().run(spec, ignore).models
    assert len(model.bursts) == 200


def test_what_a_worker_refuses_is_told_in_its_words_and_with_its_exit_code(local: Local) -> None:
    with pytest.raises(BenchError, match=r"^no artifact none: export it") as caught:
        local().run(SPEC, ignore)
    assert caught.value.usage


def test_other_lines_on_stderr_are_no_progress(scripted: Scripted, tiny_artifacts: Path) -> None:
    reports: list[Progress] = []
    script = """
print("INFO: Created delegate", file=sys.stderr)
print('{"stage":"load","done":0,"total":1}', file=sys.stderr)
print('{"stage":7}', file=sys.stderr)
os.write(2, b"\\xff\\xfe not text\\n")
print(ANSWER)
"""
    assert scripted(script).run(Spec(), reports.append).models == ()
    assert reports == [Progress(stage="load", done=0, total=1)]


def test_a_killed_worker_is_told_with_its_last_line(scripted: Scripted) -> None:
    script = 'print("loading", file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIGKILL)'
    with pytest.raises(BenchError) as caught:
        scripted(script).run(SPEC, ignore)
    assert str(caught.value) == (
        "the worker died (SIGKILL, which is what the system does when it is out of memory); "
        "its last line: loading"
    )
    assert not caught.value.usage


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"died \(SIGSEGV\); it said nothing"),
        ("sys.exit(3)", r"died \(exit code 3\); it said nothing"),
        ("raise MemoryError", r"died \(exit code 1\); its last line: MemoryError"),
        ("sys.exit('error: what was wrong')", "^what was wrong$"),
        ("", "answer cannot be read"),
        ("print('{}')", "of another version of shufflenet-deploy"),
        ("print('[]')", "answer cannot be read"),
        ("print('{\"version\":1}')", "of another version of shufflenet-deploy"),
        (
            f"print('{{\"version\":{ANSWER_VERSION}}}')",
            "answer cannot be read: .*missing required field",
        ),
    ],
)
def test_other_ways_to_fail(scripted: Scripted, script: str, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        scripted(script).run(SPEC, ignore)


def test_ctrl_c_gets_the_answer_until_then(local: Local, tiny_artifacts: Path) -> None:
    def press(progress: Progress) -> None:
        if progress.stage == "round" and progress.done == 5:
            raise KeyboardInterrupt

    spec = Spec(artifacts=(str(tiny_artifacts / f"{TINY}.tflite"),), rounds=1_000_000)
    answer = local().run(spec, press)
    assert answer.stopped == "interrupted"
    assert 5 <= len(answer.models[0].bursts) < 1_000_000


def test_ctrl_c_before_anything_was_measured(scripted: Scripted, tiny_artifacts: Path) -> None:
    def press(progress: Progress) -> None:
        raise KeyboardInterrupt

    script = """
print('{"stage":"load","done":0,"total":1}', file=sys.stderr, flush=True)
time.sleep(3600)
"""
    with pytest.raises(KeyboardInterrupt):
        scripted(script).run(SPEC, press)


def test_ctrl_c_that_comes_too_late_ends_it_all_the_same(scripted: Scripted) -> None:
    def press(progress: Progress) -> None:
        raise KeyboardInterrupt

    script = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
print('{"stage":"round","done":1,"total":1}', file=sys.stderr, flush=True)
print(ANSWER)
"""
    assert scripted(script).run(Spec(), press).stopped == "interrupted"


# Of a worker that would run for long: its number is in a file, and no other once it is through.
_LONG = """
from pathlib import Path
Path({folder!r}, "process").write_text(str(os.getpid()))
{first}
time.sleep({seconds})
Path({folder!r}, "through").touch()
"""


def long_worker(folder: Path, first: str) -> str:
    return _LONG.format(folder=str(folder), first=first, seconds=HANG_SECONDS)


def was_ended(folder: Path) -> bool:
    wait_until(lambda: not is_running(int((folder / "process").read_text())))
    return not (folder / "through").exists()


def test_a_second_ctrl_c_does_not_wait(scripted: Scripted, tmp_path: Path) -> None:
    def press(progress: Progress) -> None:
        raise KeyboardInterrupt

    first = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
for done in range(2):
    print('{"stage":"round","done":%d,"total":2}' % done, file=sys.stderr, flush=True)
"""
    with pytest.raises(KeyboardInterrupt):
        scripted(long_worker(tmp_path, first)).run(SPEC, press)
    assert was_ended(tmp_path)


def test_a_host_that_fails_leaves_no_worker_behind(scripted: Scripted, tmp_path: Path) -> None:
    def fail(progress: Progress) -> None:
        raise OSError("the terminal is gone")

    first = """
print('{"stage":"load","done":0,"total":1}', file=sys.stderr, flush=True)
"""
    with pytest.raises(OSError, match="the terminal is gone"):
        scripted(long_worker(tmp_path, first)).run(SPEC, fail)
    assert was_ended(tmp_path)


def test_an_answer_of_other_models_than_were_asked_for_is_refused(scripted: Scripted) -> None:
    with pytest.raises(BenchError, match="answers of 0 models, where it was asked for 1"):
        scripted("print(ANSWER)").run(SPEC, ignore)
