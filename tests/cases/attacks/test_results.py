"""results.json that parses and is wrong: the commands that read it say so in one line."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cases import Bench, Said, reached
from shufflenet_deploy.bench.__main__ import main as bench_main
from shufflenet_deploy.bench.commands.report import main as report_main

Results = dict[str, Any]
Change = Callable[[Results], None]
DEEP = '{"version":2,"created":' + "[" * 100_000


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


REFUSED: dict[str, Change | None] = {
    "zero": samples([0, 0, 0]),
    "negative": samples([-5, -5, -5]),
    "huge": samples([10**400] * 3),
    "no samples": samples([]),
    "member": at("runs", 0, "models", 0, "member", value=99),
    "block's member": at("blocks", 0, "members", value=[99, 1, 2]),
    "block": at("runs", 0, "block", value="nope"),
    "no members": at("blocks", 0, "members", value=[]),
    "no canary": at("runs", 0, "canary", value={"start_ns": [0], "end_ns": [0]}),
    "negative size": at("models", 0, "size_bytes", value=-1),
    "negative load time": at("models", 0, "probe", "first_use", "load_ms", value=-1.0),
    "thread": at("parameters", "threads", value=[0]),
    "deep": None,
}
"""What cannot be meant."""


@COMMANDS
@pytest.mark.parametrize(
    "change",
    REFUSED.values(),
    ids=REFUSED,
)
def test_results_that_cannot_be_are_refused(
    change: Change | None, read: Read, good: Results, tmp_path: Path
) -> None:
    changed(good, change, tmp_path / "bad.json")
    assert "bad.json" in read("bad.json").require_one_line()


LACKING: dict[str, Change] = {
    "no blocks": at("blocks", value=[]),
    "no models": at("models", value=[]),
    "claim": at("blocks", 0, "claim", value="nope"),
    "threads": at("parameters", "threads", value=[]),
    "multiply-adds": at("models", 0, "multiply_adds", value=0),
    "no probe": at("models", 0, "probe", value=None),
}
"""What can be done without, or is nonsense."""


@COMMANDS
@pytest.mark.parametrize("change", LACKING.values(), ids=LACKING)
def test_results_that_lack_something_are_shown_or_refused(
    change: Change, read: Read, good: Results, tmp_path: Path
) -> None:
    changed(good, change, tmp_path / "bad.json")
    said = read("bad.json")
    if said.code:
        said.require_one_line()
