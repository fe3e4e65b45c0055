"""This machine as a device: a worker is a subprocess of the same Python."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from shufflenet_deploy.bench import BenchError
from shufflenet_deploy.bench.devices import Report
from shufflenet_deploy.runtime.spec import ANSWER_VERSION, Answer, Progress, Spec

WORKER = (sys.executable, "-m", "shufflenet_deploy.runtime")


class LocalDevice:
    """A `Device` that starts `worker`, a command that reads a spec and writes an answer."""

    def __init__(self, worker: Sequence[str] = WORKER) -> None:
        self._worker = worker

    def put(self, path: Path) -> str:
        """See `Device.put`: it is here already."""
        return str(path.resolve())

    def run(self, spec: Spec, report: Report) -> Answer:
        """See `Device.run`."""
        # The spec and the answer go through files: with two pipes besides stderr, one side
        # could wait for the other to empty one of them.
        with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as reply:
            question.write(msgspec.json.encode(spec))
            question.seek(0)
            # In a process group of its own the worker does not see the terminal's Ctrl-C. It
            # gets exactly one from here: a second would interrupt the writing of its answer.
            with subprocess.Popen(
                self._worker, stdin=question, stdout=reply, stderr=subprocess.PIPE, process_group=0
            ) as process:
                interrupted, remark = _follow(process, report)
            reply.seek(0)
            answer = reply.read()
        if interrupted and process.returncode:
            raise KeyboardInterrupt
        if process.returncode:
            raise _failure(process.returncode, remark)
        decoded = _decode(answer)
        # Ctrl-C may have come too late for the worker; who pressed it wants an end all the same.
        return msgspec.structs.replace(decoded, stopped="interrupted") if interrupted else decoded


def _follow(process: subprocess.Popen[bytes], report: Report) -> tuple[bool, str]:
    """Read the worker's stderr until it ends; whether Ctrl-C came, and its last other line."""
    assert process.stderr is not None
    interrupted, remark = False, ""
    while True:
        try:
            for line in process.stderr:
                try:
                    report(msgspec.json.decode(line, type=Progress))
                except (msgspec.DecodeError, UnicodeDecodeError):
                    remark = line.decode(errors="replace").strip() or remark
        except KeyboardInterrupt:
            if interrupted:  # the second: do not wait for the answer
                process.kill()
                raise
            interrupted = True
            process.send_signal(signal.SIGINT)
        except BaseException:
            process.kill()  # or leaving `Popen`'s context would wait for all its rounds
            raise
        else:
            return interrupted, remark


def _failure(code: int, remark: str) -> BenchError:
    """What to tell of a worker that ended with `code`; `remark` is the last it said."""
    if remark.startswith("error: "):
        return BenchError(remark.removeprefix("error: "), usage=code == 2)
    ending = f"exit code {code}"
    if code < 0:
        ending = f"signal {-code}"
        if -code in signal.valid_signals():
            ending = signal.Signals(-code).name
        if -code == signal.SIGKILL:
            ending += ", which is what the system does when it is out of memory"
    last = f"its last line: {remark}" if remark else "it said nothing"
    return BenchError(f"the worker died ({ending}); {last}")


def _decode(answer: bytes) -> Answer:
    try:
        version = msgspec.json.decode(answer, type=dict[str, msgspec.Raw]).get("version")
        if version is None or bytes(version) != b"%d" % ANSWER_VERSION:
            raise BenchError(
                "the worker is of another version of shufflenet-deploy than this host: "
                "install the same on both"
            )
        return msgspec.json.decode(answer, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"the worker's answer cannot be read: {error}") from None
