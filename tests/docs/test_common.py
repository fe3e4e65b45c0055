"""What all commands share: a version, completion, neighbours, and what a document says of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest

from documents import ROOT
from waiting import HANG_SECONDS

SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
PAGE = (ROOT / "docs/commands.md").read_text()


def run(script: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    module, _, function = SCRIPTS[script].partition(":")
    code = f"import sys; sys.argv[0] = {script!r}; from {module} import {function} as main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "COLUMNS": "80", **variables},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_command_tells_its_version(script: str) -> None:
    done = run(script, "--version")
    assert (done.returncode, done.stdout) == (
        0,
        f"shufflenet-deploy {version('shufflenet-deploy')}\n",
    )


@pytest.mark.parametrize("name", ["compare", "counts", "show", "verify", "devices", "run"])
def test_so_do_the_commands_of_shufflenet_bench(name: str) -> None:
    assert run("shufflenet-bench", name, "--version").stdout.startswith("shufflenet-deploy ")


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_help_names_the_others(script: str) -> None:
    said = " ".join(run(script, "--help").stdout.split())
    assert {name for name in SCRIPTS if f"{name} " in said.partition("Its neighbours:")[2]} == set(
        SCRIPTS
    ) - {script}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("shufflenet-export --gro", ["--groups"]),
        ("shufflenet-bench co", ["compare", "counts"]),
        ("shufflenet-bench --sui", ["--suite"]),
        ("shufflenet-bench a.onnx --sui", ["--suite"]),
        ("shufflenet-bench compare --fa", ["--fail-above"]),
        ("shufflenet-classify --to", ["--top"]),
    ],
)
def test_a_shell_completes_what_was_begun(words: str, wanted: list[str]) -> None:
    script, *rest = words.split(" ")
    completing = f"_{script.upper().replace('-', '_')}_COMPLETE"
    asked = {completing: "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(rest))}
    assert run(script, **asked).stdout.split() == wanted


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_shell_is_given_its_script(script: str) -> None:
    done = run(script, "--show-completion", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "Traceback" not in done.stderr


def test_every_variable_that_is_read_is_told_of() -> None:
    read = set()
    for folder in ("bench", "export", "models", "runtime"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            read |= set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"", text))
    assert read
    assert {name for name in read if f"`{name}`" not in PAGE} == set()
