"""A command's errors: one line and an exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from shufflenet_deploy.runtime.command_line import run
from shufflenet_deploy.runtime.errors import ShufflenetDeployError


class _ProjectError(ShufflenetDeployError):
    """As each folder has its own."""


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command that prints its number and then does `act`: exit code, stdout, stderr."""

    def run_it(act: Callable[[], object] = lambda: None, *arguments: str) -> tuple[int, str, str]:
        app = typer.Typer(add_completion=False)

        @app.command()
        def _print(number: int = 1) -> None:
            typer.echo(str(number))
            act()

        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        with pytest.raises(SystemExit) as ended:
            run(app)
        assert isinstance(ended.value.code, int)
        return (ended.value.code, *capsys.readouterr())

    return run_it


def _raising(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


def test_what_is_done_exits_with_0(command: Command) -> None:
    assert command(lambda: None, "--number", "7") == (0, "7\n", "")


def test_help_exits_with_0(command: Command) -> None:
    code, out, err = command(lambda: None, "--help")
    assert (code, err) == (0, "")
    assert "--number" in out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--nonsense"], "--nonsense"),
        (["--number", "many"], "--number"),
        (["extra"], "extra"),
        (["--number"], "--number"),
    ],
)
def test_wrong_usage_exits_with_2_and_names_what_is_wrong(
    command: Command, arguments: list[str], named: str
) -> None:
    code, out, err = command(lambda: None, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert named in err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (_ProjectError("no such engine"), 1, "no such engine"),
        (_ProjectError("no such option", usage=True), 2, "no such option"),
        (_ProjectError("two\n  lines of\ttext"), 1, "two lines of text"),
        (KeyboardInterrupt(), 1, "interrupted"),
        (typer.Abort(), 1, "interrupted"),
        (PermissionError(13, "Permission denied", "out/x"), 1, "out/x: Permission denied"),
    ],
)
def test_an_error_that_is_expected_is_one_line(
    command: Command, error: BaseException, code: int, line: str
) -> None:
    assert command(_raising(error)) == (code, "1\n", f"error: {line}\n")


def test_a_command_may_end_with_an_exit_code_of_its_own(command: Command) -> None:
    assert command(_raising(typer.Exit(1))) == (1, "1\n", "")


def test_an_error_that_is_not_expected_is_a_bug_and_keeps_its_traceback(command: Command) -> None:
    with pytest.raises(ZeroDivisionError):
        command(_raising(ZeroDivisionError()))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to write to")
@pytest.mark.parametrize("says", ["typer.echo('x')", "print('x')"])
@pytest.mark.parametrize("flags", [[], ["-u"]], ids=["buffered", "unbuffered"])
def test_a_full_disk_is_one_line(says: str, flags: list[str]) -> None:
    """Also where what was said is still in a buffer when the command ends."""
    program = (
        "import typer\n"
        "from shufflenet_deploy.runtime.command_line import run\n"
        "app = typer.Typer()\n"
        f"app.command()(lambda: {says})\n"
        "run(app)\n"
    )
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, *flags, "-c", program],
            env={**os.environ, "PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == "error: input or output: No space left on device\n"


_IN_MADE_CODE = """\
import typer
from shufflenet_deploy.runtime.command_line import run

app = typer.Typer()

@app.command()
def main() -> None:
    exec("import os; os.kill(os.getpid(), {number})")

run(app)
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_in_code_that_is_made_of_text_ends_it_like_any_other(
    number: int, code: int
) -> None:
    script = _IN_MADE_CODE.format(number=int(number))
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (code, "error: interrupted\n")
