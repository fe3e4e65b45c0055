"""results.json that parses and is wrong: the commands that read it say so in one line."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cases import Bench, Said, reached, wrong_today
from shufflenet_deploy.bench.__main__ import main as bench_main
from shufflenet_deploy.bench.commands.report import main as report_main

Results = dict[str, Any]
Change = Callable[[Results], None]
DEEP = '{"version":2,"created":' + "[" * 100_000
MEANING = "its bounds are not checked, and figuring with it fails"
REFERENCES = "its cross references are not checked, and following one fails"


@pytest.fixture(scope="session")
def good(small_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Of a real measurement."""
    bench = Bench.in_folder(tmp_path_factory.mktemp("measured"))
    said = bench.measure(small_onnx)
    reached(said.code == 0, said.stderr)
    results: Results = json.loads((bench.folder / "results.json").read_text())
    return results


def samples(values: list[int]) -> Change:
    def change(results: Results) -> None:
        for run in results["runs"]:
            for model in run["models"]:
                for burst in model["bursts"]:
                    burst["samples_ns"] = values

    return change


def at(*path: str | int, value: object) -> Change:
    def change(results: Results) -> None:
        inner: Any = results
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return change


Read = Callable[[str], Said]


@pytest.fixture
def read(
    request: pytest.FixtureRequest,
    good: Results,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Read:
    """Has the command `request.param` read a file; what comes out of it unforeseen is wrong."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.json").write_text(json.dumps(good))

    def command(name: str) -> Said:
        if request.param == "report":
            words, main = ["shufflenet-report", name, "--out", "out.md"], report_main
        else:
            words, main = ["shufflenet-bench", "compare", "good.json", name], bench_main
        monkeypatch.setattr(sys, "argv", words)
        try:
            main()
        except SystemExit as end:
            out, err = capfd.readouterr()
            return Said(int(end.code or 0), out, err)
        except Exception as error:  # noqa: BLE001 - a traceback, whatever it is
            raise AssertionError(f"a traceback: {error!r}") from None

    said = command("good.json")
    reached(said.code == 0, f"not even good results are read: {said.stderr}")
    return command


COMMANDS = pytest.mark.parametrize("read", ["report", "compare"], indirect=True)


def changed(good: Results, change: Change | None, path: Path) -> None:
    """Write results that differ from good ones."""
    results = copy.deepcopy(good)
    if change is None:
        path.write_text(DEEP)
        return
    change(results)
    reached(results != good, "nothing was changed")
    path.write_text(json.dumps(results))


REFUSED: dict[str, tuple[Change | None, str | None]] = {
    "zero": (samples([0, 0, 0]), MEANING),
    "negative": (samples([-5, -5, -5]), MEANING),
    "huge": (samples([10**400] * 3), MEANING),
    "no samples": (samples([]), MEANING),
    "member": (at("runs", 0, "models", 0, "member", value=99), None),
    "block's member": (at("blocks", 0, "members", value=[99, 1, 2]), None),
    "block": (at("runs", 0, "block", value="nope"), None),
    "deep": (None, "a decoder that recurses too deeply is a traceback"),
}
"""What cannot be meant, and what is wrong with it today."""


@COMMANDS
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=[wrong_today(reason)] if reason else [])
        for name, (change, reason) in REFUSED.items()
    ],
)
def test_results_that_cannot_be_are_refused(
    change: Change | None, read: Read, good: Results, tmp_path: Path
) -> None:
    changed(good, change, tmp_path / "bad.json")
    assert "bad.json" in read("bad.json").require_one_line()


LACKING: dict[str, tuple[Change, str | None]] = {
    "no blocks": (at("blocks", value=[]), None),
    "no models": (at("models", value=[]), None),
    "no members": (at("blocks", 0, "members", value=[]), "report"),
    "claim": (at("blocks", 0, "claim", value="nope"), "report"),
    "threads": (at("parameters", "threads", value=[]), None),
    "canary": (at("runs", 0, "canary", value={"start_ns": [0], "end_ns": [0]}), "report"),
    "multiply-adds": (at("models", 0, "multiply_adds", value=0), None),
    "no probe": (at("models", 0, "probe", value=None), None),
}
"""What can be done without, or is nonsense, and the command that has a traceback of it today."""


@pytest.mark.parametrize(
    ("change", "read"),
    [
        pytest.param(
            change,
            command,
            id=f"{name}-{command}",
            marks=[wrong_today(REFERENCES)] if command == fails else [],
        )
        for name, (change, fails) in LACKING.items()
        for command in ("report", "compare")
    ],
    indirect=["read"],
)
def test_results_that_lack_something_are_shown_or_refused(
    change: Change, read: Read, good: Results, tmp_path: Path
) -> None:
    changed(good, change, tmp_path / "bad.json")
    said = read("bad.json")
    if said.code:
        said.require_one_line()
