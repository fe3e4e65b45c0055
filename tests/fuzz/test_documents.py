"""Documents of ours with damaged meanings, through every command that reads one.

Whatever they hold, a command does what it was asked or says in one line what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given

from called import Caller
from cases import require_plain
from mutations import Changed, Damaged, changed, damaged, encoded, fuzzed
from shufflenet_deploy.bench.__main__ import main as bench
from shufflenet_deploy.bench.commands.report import main as report

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "docs/gallery/own-models.json").read_bytes())
SUITE = json.loads((ROOT / "docs/gallery/suite.json").read_bytes())
COUNTS = json.loads((ROOT / "benchmarks/counts.json").read_bytes())
COUNTS["entries"] = COUNTS["entries"][:3]

Command = Callable[..., None]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command in this process, and asserts that it ends as a command may."""

    caller = Caller(tmp_path, monkeypatch, capsys)

    def run(main: Callable[[], NoReturn], *words: str | Path) -> None:
        monkeypatch.setenv("COLUMNS", "120")
        ended = caller(main, *words)
        require_plain(ended.stderr.replace("\r", ""))
        require_plain(ended.stdout.replace("\t", " "))
        if ended.code:
            assert ended.code in (1, 2)
            assert ended.stderr.count("error: ") == 1, ended.stderr
            assert ended.stderr.endswith("\n")

    return run


def _shown(document: bytes, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "damaged.json"
    file.write_bytes(document)
    command(bench, "show", file)
    command(bench, "compare", file, file)
    command(report, file, "--out", tmp_path / "report.md", "--out", tmp_path / "report.csv")


@fuzzed(60)
@given(changed(lambda: RESULTS))
def test_results_are_shown_compared_and_reported(
    command: Command, tmp_path: Path, results: Changed
) -> None:
    _shown(results.encoded(), command, tmp_path)


@fuzzed(15)
@given(changed(lambda: SUITE))
def test_so_are_those_of_a_suite(command: Command, tmp_path: Path, results: Changed) -> None:
    _shown(results.encoded(), command, tmp_path)


@fuzzed(3)
@given(changed(lambda: RESULTS))
def test_pages_are_drawn_or_refused(command: Command, tmp_path: Path, results: Changed) -> None:
    (tmp_path / "damaged.json").write_bytes(results.encoded())
    command(report, tmp_path / "damaged.json", "--out", tmp_path / "report.html")


@fuzzed(40)
@given(changed(lambda: COUNTS))
def test_counts_are_shown_and_compared(command: Command, tmp_path: Path, counts: Changed) -> None:
    _shown(counts.encoded(), command, tmp_path)


@fuzzed(20)
@given(damaged(lambda: encoded(RESULTS)))
def test_bytes_that_are_no_json_are_refused(
    command: Command, tmp_path: Path, results: Damaged
) -> None:
    _shown(results.data, command, tmp_path)


@fuzzed(20)
@given(changed(lambda: RESULTS), changed(lambda: RESULTS))
def test_two_results_that_fit_no_more_are_compared_or_refused(
    command: Command, tmp_path: Path, a: Changed, b: Changed
) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file, results in zip(files, (a, b), strict=True):
        file.write_bytes(results.encoded())
    command(bench, "compare", *files, "--fail-above", "10")
