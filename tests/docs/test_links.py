"""What the documents point at is there: files, headings, modules, and what snippets import."""

from __future__ import annotations

import ast
import importlib
import runpy
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from documents import DOCUMENTS, ROOT, Document, anchor

DOCS = [Document(path) for path in DOCUMENTS]


ELSEWHERE = {"picamera2"}
"""What only a Raspberry Pi has."""


def resolve(dotted: str) -> Any:
    """The module, or what a module holds, that `dotted` names."""
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("document", DOCS, ids=str)
def test_relative_links_lead_to_files_and_headings(document: Document) -> None:
    for target in document.links():
        name, _, heading = target.partition("#")
        path = (document.path.parent / name).resolve() if name else document.path
        assert path.exists(), target
        assert not heading or heading in Document(path).anchors(), target


@pytest.mark.parametrize("document", DOCS, ids=str)
def test_paths_in_backticks_are_of_this_tree(document: Document) -> None:
    assert [path for path in document.paths() if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCS, ids=str)
def test_modules_that_are_named_import(document: Document) -> None:
    for dotted in document.modules():
        resolve(dotted)


@pytest.mark.parametrize("document", DOCS, ids=str)
def test_python_snippets_import_what_is_there(document: Document) -> None:
    for snippet in document.blocks("python"):
        for node in ast.walk(ast.parse(snippet)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    resolve(alias.name)
            elif isinstance(node, ast.ImportFrom) and node.module not in ELSEWHERE:
                for alias in node.names:
                    resolve(f"{node.module}.{alias.name}")


def test_the_cameras_program_is_the_same_in_both_places() -> None:
    (readme,) = (
        block for block in Document(ROOT / "README.md").blocks("python") if "camera" in block
    )
    assert readme in Document(ROOT / "docs/using.md").blocks("python")


def test_the_readme_leads_to_every_document() -> None:
    linked = {target.partition("#")[0] for target in Document(ROOT / "README.md").links()}
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")} <= linked


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("How it measures", "how-it-measures"),
        ("What `fast` does", "what-fast-does"),
        ('What "verified" means', "what-verified-means"),
        ("On a device, without it", "on-a-device-without-it"),
    ],
)
def test_anchors_are_githubs(heading: str, expected: str) -> None:
    assert anchor(heading) == expected


def test_the_table_of_counts_is_that_of_the_counts() -> None:
    script = runpy.run_path(str(ROOT / "benchmarks/counts.py"))
    document = script["DOCUMENT"].read_text()
    table = script["markdown"](script["read"](script["TABLE"]))
    assert script["with_table"](document, table) == document


def test_the_source_package_holds_the_documents_and_the_wheel_does_not(tmp_path: Path) -> None:
    build = (sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path))
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (source,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    with tarfile.open(source) as packed:
        packed_names = {name.partition("/")[2] for name in packed.getnames()}
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")} <= packed_names
    with zipfile.ZipFile(wheel) as installed:
        assert not [name for name in installed.namelist() if name.endswith(".md")]
