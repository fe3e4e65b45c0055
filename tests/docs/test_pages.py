"""The documents as pages: all of them are there, and their tables are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from documents import ROOT, Document
from shufflenet_deploy.bench.analysis.warnings import KINDS
from shufflenet_deploy.runtime.engines import ENGINES
from shufflenet_deploy.runtime.formats import FORMATS

yaml = pytest.importorskip("ruamel.yaml", reason="needs check-jsonschema, which brings a parser")

DOCS = ROOT / "docs"


def _pages(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        (target,) = entry.values()
        if isinstance(target, str):
            yield target
        else:
            yield from _pages(target)


def _rows(document: str, heading: str) -> list[list[str]]:
    """The cells of the table below `heading`, without its first two lines."""
    text = (DOCS / document).read_text().partition(heading)[2]
    found = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert found
    return [_cells(row) for row in found[0].splitlines()[2:]]


def _cells(row: str) -> list[str]:
    """Between bars that are not part of a cell."""
    cells = re.split(r"(?<!\\)\|", row.strip("|"))
    return [cell.strip().replace("\\|", "|") for cell in cells]


def test_every_document_is_in_the_navigation_once() -> None:
    settings = yaml.YAML(typ="safe").load(ROOT / "mkdocs.yml")
    assert sorted(_pages(settings["nav"])) == sorted(path.name for path in DOCS.glob("*.md"))


def test_each_warning_is_told_with_what_it_means_and_its_remedy() -> None:
    told = _rows("errors.md", "## Warnings of a measurement")
    assert told == [[f"`{code}`", kind.meaning, kind.remedy] for code, kind in KINDS.items()]


def test_formats_and_engines_are_those_that_there_are() -> None:
    formats = _rows("formats.md", "# Formats and engines")
    assert [row[0] for row in formats] == [f"`{name}`" for name in FORMATS]
    for row, format_ in zip(formats, FORMATS.values(), strict=True):
        assert row[1].startswith(f"`{format_.files[0]}`")
        assert row[2] == ", ".join(f"`{name}`" for name in format_.engines)
        assert row[4] == format_.layout
    engines = _rows("formats.md", "| `tflite` |")
    assert [row[0] for row in engines] == [f"`{name}`" for name in ENGINES]
    for row, engine in zip(engines, ENGINES.values(), strict=True):
        assert row[1] == ", else ".join(f"`{name}`" for name in engine.distributions)
        assert row[2].startswith("yes") == (engine.profile is not None)
        assert row[3] == (f"`{engine.native_runner}`" if engine.native_runner else "-")


def test_the_pages_are_built_without_a_network(tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site],
        cwd=ROOT, capture_output=True, text=True, check=False,
        # Whoever asked for something would get no further than this.
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:9"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("own-models", "suite"):
        page = (site / f"gallery/{name}.html").read_text()
        assert Document(ROOT / "docs/gallery.md").text.count(f"{name}.html") >= 2
        assert "<script" not in page
    # Nothing is fetched by whoever reads them either, but for links that are followed.
    for path in site.rglob("*.html"):
        text = path.read_text()
        fetched = re.findall(r'<(?:script|img|iframe)[^>]+src="([^"]+)"', text)
        fetched += re.findall(r'<link rel="stylesheet" href="([^"]+)"', text)
        assert [address for address in fetched if "//" in address] == [], path
