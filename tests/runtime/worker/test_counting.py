from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from shufflenet_deploy.runtime.worker import counting
from shufflenet_deploy.runtime.worker.counting import MARKER, Counting, Request, count


def ask(question: bytes) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shufflenet_deploy.runtime.worker.counting"],
        input=question.decode(),
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_each_inference_stands_between_two_marks(
    tiny_artifacts: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = tiny_artifacts.glob(f"*x0.25*.{suffix}")
    happened: list[str] = []
    close, loaded_run = os.close, counting._between_marks

    def marked(number: int) -> None:
        if number == MARKER:
            happened.append("mark")
        close(number)

    def noted(run: object, times: int) -> None:
        assert callable(run)

        def note() -> None:
            happened.append("run")
            run()

        loaded_run(note, times)

    monkeypatch.setattr(os, "close", marked)
    monkeypatch.setattr(counting, "_between_marks", noted)
    answer = count(Request(artifact=str(path), settle=1, empty=2, inferences=3))
    assert happened == ["mark", "run", "mark"] * 5
    assert answer.difference is not None
    assert answer.difference < 1e-3


def test_a_mark_closes_nothing() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.close(MARKER)
    counting._mark()


def test_the_answer_has_no_time(tiny_artifacts: Path) -> None:
    (path,) = tiny_artifacts.glob("*x0.25*.onnx")
    ended = ask(msgspec.json.encode(Request(artifact=str(path))))
    assert ended.returncode == 0, ended.stderr
    answer = msgspec.json.decode(ended.stdout, type=Counting)
    assert answer.engine == "onnxruntime"
    assert set(msgspec.json.decode(ended.stdout)) == {
        "sha256",
        "engine",
        "engine_version",
        "difference",
        "inputs",
    }


@pytest.mark.parametrize(
    ("question", "code", "said"),
    [
        (b"", 2, "error: the request is wrong"),
        (b'{"artifact": "x.onnx", "inferences": 0}', 2, "error: the request is wrong"),
        (b'{"artifact": "x.onnx", "more": 1}', 2, "error: the request is wrong"),
        (b'{"artifact": "/nowhere/x.onnx"}', 1, "error: no artifact /nowhere/x.onnx"),
    ],
)
def test_what_cannot_be_counted_is_one_line(question: bytes, code: int, said: str) -> None:
    ended = ask(question)
    assert ended.returncode == code
    assert ended.stdout == ""
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1
