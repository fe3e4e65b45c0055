"""What the documents say of commands is what the commands take."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import typer.main

from documents import DOCUMENTS, ROOT, Document, OptionTable, options_in
from shufflenet_deploy.bench.devices.boards import load_boards
from shufflenet_deploy.runtime.worker.spec import Spec

DOCS = [Document(path) for path in DOCUMENTS]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SCRIPTS: dict[str, str] = PROJECT["scripts"]
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
TABLES = [(document, table) for document in DOCS for table in document.option_tables()]
LINES = [(document, words) for document in DOCS for words in document.command_lines()]
README_LINES = 200
COMMON = {"--help", "--version", "--install-completion", "--show-completion"}
"""Of all commands, told of once: see ``docs/commands.md``."""


def command(script: str) -> Any:
    """The real command behind an entry point; Typer has no type for it that is public."""
    module = SCRIPTS[script].partition(":")[0]
    return typer.main.get_command(importlib.import_module(module).app)


def subcommands(script: str) -> dict[str, Any]:
    """``shufflenet-bench compare`` and so on; of a command without others only itself."""
    root = command(script)
    others = getattr(root, "commands", None)
    return {f"{script} {name}": each for name, each in others.items()} if others else {script: root}


def options_of(parsed: Any) -> set[str]:
    opts = (name for each in parsed.params for name in (*each.opts, *each.secondary_opts))
    return {name for name in opts if name.startswith("--")} - COMMON


COMMANDS = {name: each for script in SCRIPTS for name, each in subcommands(script).items()}


def parse(script: str, arguments: Sequence[str]) -> None:
    """Parse as a call would, without calling. Raises what Typer does for wrong usage."""
    root = command(script)
    context = root.make_context(script, list(arguments))
    if hasattr(root, "commands"):
        words = [*context._protected_args, *context.args]  # where Typer's groups keep the rest
        name, chosen, rest = root.resolve_command(context, words)
        chosen.make_context(name, rest, parent=context)


@pytest.mark.parametrize(
    ("document", "table"), TABLES, ids=lambda each: getattr(each, "command", str(each))
)
def test_tables_list_the_options_that_the_command_has(
    document: Document, table: OptionTable
) -> None:
    assert table.options == options_of(COMMANDS[table.command])


def test_each_command_has_one_table_of_its_options() -> None:
    assert sorted(table.command for _, table in TABLES) == sorted(COMMANDS)


@pytest.mark.parametrize("document", DOCS, ids=str)
def test_options_in_prose_are_those_of_a_command(document: Document) -> None:
    known = COMMON.union(*(options_of(each) for each in COMMANDS.values()))
    assert document.options() <= known


@pytest.mark.parametrize("document", DOCS, ids=str)
def test_options_beside_a_commands_name_are_its_own(document: Document) -> None:
    for span in document.spans():
        script, *words = span.split()
        if script in SCRIPTS:
            chosen = subcommands(script)
            usual = next(iter(chosen.values()))  # measuring, of those of shufflenet-bench
            named = chosen.get(f"{script} {words[0]}", usual) if words else usual
            assert options_in(span) <= options_of(named), span


@pytest.mark.parametrize(
    ("document", "words"),
    LINES,
    ids=lambda each: " ".join(each) if isinstance(each, list) else str(each),
)
def test_commands_that_are_shown_parse(document: Document, words: list[str]) -> None:
    while re.fullmatch(r"\w+=.*", words[0]):  # variables that are set for it
        words = words[1:]
    program, *arguments = words
    if program in SCRIPTS:
        parse(program, arguments)
    elif program == "make":
        assert set(arguments) <= TARGETS
    elif program in ("python", "torchrun") and "-m" in arguments:
        importlib.import_module(arguments[arguments.index("-m") + 1])
    elif program == "pip":
        _check_pip(arguments)
    elif program == "docker":
        _check_docker(arguments)
    elif program == "echo":
        msgspec.convert(json.loads(arguments[0]), Spec)
    else:
        assert program in ("cp", "export"), "no rule says how to check it"


def _check_pip(arguments: Sequence[str]) -> None:
    for argument in arguments:
        if extra := re.fullmatch(r"shufflenet-deploy\[(\w+)\]", argument):
            assert extra[1] in PROJECT["optional-dependencies"]
        if argument.endswith(".txt"):
            assert (ROOT / argument).is_file()


def _check_docker(arguments: Sequence[str]) -> None:
    """The file that is built is there; what a container is given is what its command takes."""
    if "-f" in arguments:
        assert (ROOT / arguments[arguments.index("-f") + 1]).is_file()
    if arguments[0] == "run":
        image = arguments.index("shufflenet-bench")
        parse("shufflenet-bench", arguments[image + 1 :])


def test_boards_that_are_shown_are_read(tmp_path: Any) -> None:
    blocks = [block for document in DOCS for block in document.blocks("toml")]
    assert blocks
    for block in blocks:
        (tmp_path / "devices.toml").write_text(block)
        assert set(tomllib.loads(block)) <= set(load_boards(tmp_path / "devices.toml"))


def test_the_readme_is_short_and_names_its_two_commands() -> None:
    readme = Document(ROOT / "README.md")
    assert len(readme.text.splitlines()) <= README_LINES
    assert [words for words in readme.command_lines() if words[0] == "make"] == [
        ["make", "demo"],
        ["make", "test"],
    ]
