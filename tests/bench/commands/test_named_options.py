"""No text names an option that the command which it speaks of does not have."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import msgspec
import pytest
import typer.main
from msgspec.structs import replace
from rich.console import Console

import shufflenet_deploy.bench
from measured_board import a_measurement, derived
from shufflenet_deploy.bench.analysis.summary import Warning
from shufflenet_deploy.bench.analysis.warnings import KINDS
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.to_html import to_html
from shufflenet_deploy.bench.report.to_markdown import to_markdown
from shufflenet_deploy.bench.report.to_terminal import show, show_budget
from shufflenet_deploy.bench.results import Results

COMMANDS = {
    "shufflenet-bench": "bench.__main__",
    "shufflenet-report": "bench.commands.report",
    "shufflenet-eval": "bench.commands.evaluate",
    "shufflenet-export": "export.__main__",
    "shufflenet-classify": "runtime.images.command",
    "shufflenet-train": "models.training.command",
}
ROOT = Path(next(iter(shufflenet_deploy.bench.__path__))).resolve().parent
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_OTHERS = ("torchrun", "pip install", "rpicam-vid", "v4l2-ctl")
"""Other programs, which a sentence may name with options of theirs."""


def options(name: str, subcommand: str | None = None) -> set[str]:
    """The options of a command and of all its subcommands, or of one of these."""
    command = typer.main.get_command(import_module(f"shufflenet_deploy.{COMMANDS[name]}").app)
    every = dict(getattr(command, "commands", {}))
    commands = [every[subcommand]] if subcommand else [command, *every.values()]
    return {
        option
        for one in commands
        for parameter in one.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}


def test_the_options_that_are_looked_up_are_the_commands_own() -> None:
    assert {"--max-minutes", "--resume"} <= options("shufflenet-bench", "run")
    assert "--minutes" not in options("shufflenet-bench")


def rendered(material: ReportData) -> Iterator[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=500)
    show(material, console)
    show_budget(material.summary, 1e-6, console)
    show_budget(replace(material.summary, front=()), 20, console)
    yield stream.getvalue()
    yield to_markdown(material)
    if not material.results.target.latency:  # plots take their time, and name no options
        yield re.sub(r"<style>.*?</style>|<[^>]*>", " ", to_html(material), flags=re.DOTALL)


@pytest.mark.parametrize("latency", [True, False])
@pytest.mark.parametrize("ended", ["done", "no", "minutes", "interrupted"])
def test_results_name_options_of_the_measurement(ended: str, latency: bool) -> None:
    """With every warning that there is; one of them asks to export again."""
    measured = derived(a_measurement(latency=latency, sizes=((224, 224),)))
    results = msgspec.convert({**msgspec.to_builtins(measured.results), "ended": ended}, Results)
    warnings = tuple(
        Warning(code=code, evidence=kind.meaning, remedy=kind.remedy)
        for code, kind in KINDS.items()
    )
    material = ReportData(results, replace(measured.summary, warnings=warnings), measured.paper)
    known = options("shufflenet-bench", "run") | options("shufflenet-export")
    for text in rendered(material):
        named = set(_OPTION.findall(text))
        assert {"--processes", "--cool-down"} <= named
        assert named <= known


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Every text of a module that is more than a word, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


@pytest.mark.parametrize(
    ("folder", "commands"),
    [
        (
            "bench",
            ("shufflenet-bench", "shufflenet-report", "shufflenet-eval", "shufflenet-export"),
        ),
        ("export", ("shufflenet-export", "shufflenet-bench", "shufflenet-train")),
        ("models", ("shufflenet-train", "shufflenet-export")),
        ("runtime", tuple(COMMANDS)),
    ],
)
def test_sentences_name_options_of_their_commands(folder: str, commands: tuple[str, ...]) -> None:
    known = set().union(*map(options, commands))
    paths = [*(ROOT / folder).rglob("*.py")]
    assert paths
    unknown = [
        f"{path.relative_to(ROOT)}:{line}: {option}"
        for path in paths
        for line, text in sentences(path)
        if not any(other in text for other in _OTHERS)
        for option in _OPTION.findall(text)
        if option not in known
    ]
    assert unknown == []
