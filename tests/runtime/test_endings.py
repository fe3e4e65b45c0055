"""How a process of ours ends, said and heard."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from shufflenet_deploy.runtime.endings import failure
from shufflenet_deploy.runtime.worker import client

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("usage", [False, True])
def test_what_one_says_the_other_hears(usage: bool) -> None:
    program = (
        "from shufflenet_deploy.runtime.endings import fail\n"
        f"fail('two\\n  lines: of text', usage={usage})\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stderr.count("\n") == 1
    told = failure("the worker", ended.returncode, ended.stderr.splitlines())
    assert str(told) == "two lines: of text"
    assert told.usage == usage
    assert told.ending == f"exit code {ended.returncode}"


@pytest.mark.parametrize(
    ("code", "remarks", "message"),
    [
        (1, ["error: no such file"], "no such file"),
        (1, ["error: the first", "error: the last", "an engine's word"], "the last"),
        (1, ["Traceback", "ValueError: x"], "it died (exit code 1); its last line: ValueError: x"),
        (3, ["error: of somebody else"], "it died (exit code 3); its last line: error: of som"),
        (-signal.SIGSEGV, [], "it died (SIGSEGV); it said nothing"),
        (-signal.SIGSEGV, ["error: no file"], "it died (SIGSEGV); its last line: error: no file"),
        (-signal.SIGKILL, [], "it died (SIGKILL, which is what the system does when it is out of"),
        (-200, [], "it died (signal 200); it said nothing"),
    ],
)
def test_what_is_told_of_a_process_that_failed(code: int, remarks: list[str], message: str) -> None:
    assert str(failure("it", code, remarks)).startswith(message)


def test_only_one_module_knows_how_the_line_begins() -> None:
    """Elsewhere adb's own lines begin so."""
    knowing = {
        path.relative_to(ROOT).as_posix()
        for folder in ("bench", "export", "models", "runtime")
        for path in (ROOT / folder).rglob("*.py")
        if '"error: ' in path.read_text()
    }
    assert knowing == {"runtime/endings.py", "bench/devices/adb.py"}


def test_modules_that_are_started_are_there_and_are_those_of_the_scripts() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for name, module in (
        ("shufflenet-export", client.EXPORT),
        ("shufflenet-eval", client.EVALUATION),
    ):
        assert scripts[name].partition(":")[0].removesuffix(".__main__") == module
    for module in (client.WORKER, client.AGENT):
        assert (ROOT / module.removeprefix("shufflenet_deploy.").replace(".", "/")).is_dir()
    assert hasattr(import_module(client.COUNTING), "main")
