"""The house keeps its rooms: small folders, short functions, and one place for each list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from shufflenet_deploy.bench.devices import DEVICES
from shufflenet_deploy.runtime.engines import ENGINES
from shufflenet_deploy.runtime.formats import FORMATS

ROOT = Path(__file__).parents[1]
PACKAGES = ("bench", "export", "models", "runtime")
MAX_MODULES = 16
MAX_LINES = 60
"""Of a function's body, without its docstring: a command's signature may be long."""

NAMES = {
    "formats": set(FORMATS),
    "engines": {
        *ENGINES,
        *(name for engine in ENGINES.values() for name in engine.distributions),
    },
}
"""What the rows of a table are called: these names stand nowhere else in bench and runtime."""
ROWS = ("runtime/formats.py", "runtime/engines/")
PACKAGE_TO_EXPORT = ("bench/measure/artifacts.py", "onnx")
"""A Python package here, and no format."""


def _sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def test_no_folder_holds_more_modules_than_one_sees_at_a_glance() -> None:
    folders = {path.parent for path in _sources()}
    counts = {folder: len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.name}": lines
        for path in _sources()
        for node in _walk(path, ast.FunctionDef)
        if (lines := _body_lines(node)) > MAX_LINES
    }
    assert long == {}


def _body_lines(function: ast.FunctionDef) -> int:
    first, *_ = body = function.body
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:
        body = body[1:]
    last = body[-1].end_lineno
    assert last is not None
    return last - body[0].lineno + 1


@pytest.mark.parametrize("names", NAMES)
def test_a_list_is_in_one_place(names: str) -> None:
    """Whoever needs a row's name asks its table, so that a new row is in every list at once."""
    elsewhere = {
        f"{name}:{constant.lineno}: {constant.value!r}"
        for path in _sources()
        for name in [path.relative_to(ROOT).as_posix()]
        if name.startswith(("bench/", "runtime/")) and not name.startswith(ROWS)
        for constant in _walk(path, ast.Constant)
        if constant.value in NAMES[names] and (name, constant.value) != PACKAGE_TO_EXPORT
    }
    assert elsewhere == set()


def test_nobody_asks_which_kind_of_device_it_is() -> None:
    """Its row says what is different about it."""
    asked = {
        f"{path.relative_to(ROOT)}:{comparison.lineno}"
        for path in _sources()
        for comparison in _walk(path, ast.Compare)
        if any(
            isinstance(side, ast.Attribute) and side.attr == "kind"
            for side in (comparison.left, *comparison.comparators)
        )
        and any(
            isinstance(part, ast.Constant) and part.value in DEVICES
            for part in ast.walk(comparison)
        )
    }
    assert asked == set()


_Node = TypeVar("_Node", bound=ast.AST)


def _walk(path: Path, kind: type[_Node]) -> Iterator[_Node]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kind))
