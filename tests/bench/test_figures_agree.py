"""A measurement half of whose processes a neighbour slowed down, through every command.

Whatever prints a time must print that of the processes at full speed.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from msgspec.structs import replace

from called import Caller
from shufflenet_deploy.bench import devices
from shufflenet_deploy.bench.__main__ import main as bench
from shufflenet_deploy.bench.commands.report import main as report
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Answer, ModelAnswer, Spec

if TYPE_CHECKING:
    from tests.bench.conftest import FakeDevice

ALEXNET_MS, SHUFFLENET_MS = 13.0, 1.0
SLOWER = (1.5, 2.0)
"""How many times longer each takes beside the neighbour: not alike, so that ratios move too."""
FAST_PULSE, SLOW_PULSE = 300, 600

Call = Callable[..., str]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Calls a command in this process; returns what it prints on stdout."""

    caller = Caller(tmp_path, monkeypatch, capsys)

    def call(main: Callable[[], NoReturn], *words: str | Path) -> str:
        ended = caller(main, *words)
        assert ended.code == 0, ended.stderr
        return ended.stdout

    return call


@pytest.fixture
def pair(
    tmp_path: Path, half: Options, write_artifact: Callable[[Path, Options], Artifact]
) -> list[Path]:
    alexnet = replace(half, network="alexnet", groups=None, scale=None)
    return [write_artifact(tmp_path, options).path for options in (alexnet, half)]


Measure = Callable[[str, Iterable[int]], list[str | Path]]


@pytest.fixture
def measure(
    call: Call,
    pair: list[Path],
    make_device: type[FakeDevice],
    monkeypatch: pytest.MonkeyPatch,
) -> Measure:
    """Measures both models in 8 processes into a file; returns the words of that command."""

    def measure(out: str, slow: Iterable[int]) -> list[str | Path]:
        device = _with_neighbour(make_device, set(slow))
        monkeypatch.setattr(devices, "open_device", lambda board, options: nullcontext(device))
        words: list[str | Path] = [*pair, "--processes", "8", "--out", out, "--budget-ms", "1.1"]
        call(bench, *words)
        return words

    return measure


def _with_neighbour(make_device: type[FakeDevice], slow: set[int]) -> FakeDevice:
    """A device whose core is shared while the processes numbered `slow` run."""

    class Shared(make_device):  # type: ignore[misc, valid-type]
        def run(self, spec: Spec, report: Report) -> Answer:
            answer: Answer = super().run(spec, report)
            neighbour = spec.seed in slow
            return replace(
                answer, models=tuple(_timed(model, neighbour) for model in answer.models)
            )

    device: FakeDevice = Shared()
    return device


def _timed(model: ModelAnswer, neighbour: bool) -> ModelAnswer:
    is_alexnet = "alexnet" in model.artifact
    ms = ALEXNET_MS if is_alexnet else SHUFFLENET_MS
    if neighbour:
        ms *= SLOWER[0 if is_alexnet else 1]
    pulses = (FAST_PULSE, SLOW_PULSE if neighbour else FAST_PULSE)
    bursts = tuple(
        replace(burst, samples_ns=(round(ms * 1e6),) * 3, pulses_ns=pulses)
        for burst in model.bursts
    )
    return replace(model, bursts=bursts)


HALF_SLOW = range(1, 8, 2)


def test_the_terminal_prints_the_times_at_full_speed(measure: Measure, call: Call) -> None:
    text = call(bench, *measure("slow.json", HALF_SLOW), "--resume")
    rows = [line.split() for line in text.splitlines()]
    assert [row[2] for row in rows if row[:1] == ["shufflenet-v1-g3-x0.5"]] == ["1.00"]
    assert " 13.000 " in text  # the ratio
    assert " supported" in text  # 12.1 to 14; with the slow processes 9.75 to 13
    assert "within 1.1 ms on fake 1 224x224 fp32 1 thread: shufflenet-v1-g3-x0.5, 1.00 ms" in text


def test_the_summary_holds_the_times_at_full_speed_and_the_scatter_of_all(
    measure: Measure, call: Call
) -> None:
    document: dict[str, Any] = json.loads(
        call(bench, *measure("slow.json", HALF_SLOW), "--resume", "--json")
    )
    summary = document["summary"]
    alexnet, shufflenet = summary["models"]
    assert alexnet["latency_ms"]["value"] == pytest.approx(13.0)
    assert shufflenet["latency_ms"]["value"] == pytest.approx(1.0)
    assert shufflenet["latency_ms"]["processes"] == 4
    (pair,) = summary["pairs"]
    assert pair["ratio"]["value"] == pytest.approx(13.0)
    assert pair["ratio"]["processes"] == 4
    (verdict,) = summary["verdicts"]
    assert verdict["measured"]["value"] == pytest.approx(13.0)
    assert shufflenet["p90_ms"] == pytest.approx(2.0)
    assert shufflenet["p99_ms"] == pytest.approx(2.0)
    assert shufflenet["mad_percent"] == pytest.approx(100 * 0.5 / 1.5)
    assert shufflenet["samples"] == 8 * 10 * 3
    assert sum(ms > 1.5 for ms in shufflenet["samples_ms"]) == 4 * 10 * 3


def test_the_measurement_stops_where_what_counts_is_known(measure: Measure, call: Call) -> None:
    measure("slow.json", HALF_SLOW)
    text = Path("slow.json").read_text()
    # What counts tells the same in every process: no more than the eight are wanted.
    assert len(json.loads(text)["runs"]) == 8


@pytest.mark.parametrize("order", [("calm.json", "slow.json"), ("slow.json", "calm.json")])
def test_a_comparison_with_a_calm_measurement_tells_no_change(
    measure: Measure, call: Call, order: tuple[str, str]
) -> None:
    measure("calm.json", ())
    measure("slow.json", HALF_SLOW)
    comparison = json.loads(call(bench, "compare", *order, "--json", "--fail-above", "1%"))
    assert [one["a_ms"] for one in comparison["changes"]] == pytest.approx([13.0, 1.0])
    assert [one["b_ms"] for one in comparison["changes"]] == pytest.approx([13.0, 1.0])
    for change in comparison["changes"]:
        assert change["absolute"]["value"] == pytest.approx(1.0)
        assert change["relative"]["value"] == pytest.approx(1.0)
    assert comparison["mean"]["value"] == pytest.approx(1.0)
    relative = call(bench, "compare", *order, "--relative", "--fail-above", "1%")
    assert "1.00" in relative


def test_the_reports_print_the_times_at_full_speed(measure: Measure, call: Call) -> None:
    measure("slow.json", HALF_SLOW)
    call(report, "slow.json", *(w for n in ("r.html", "r.md", "r.csv") for w in ("--out", n)))
    with Path("r.csv").open(newline="", encoding="utf-8") as table:
        alexnet, shufflenet = csv.DictReader(table)
    assert float(alexnet["latency_ms"]) == pytest.approx(13.0)
    assert float(shufflenet["latency_ms"]) == pytest.approx(1.0)
    assert float(shufflenet["p90_ms"]) == pytest.approx(2.0)
    texts = (Path("r.md").read_text(), _text_of_cells(Path("r.html").read_text()))
    for text in texts:
        assert "1 supported" in text
        rows = [line for line in text.splitlines() if line.startswith("| shufflenet-v1-g3-x0.5 |")]
        assert len(rows) == 3  # beside the other, all its times, between accuracy and time
        assert all("| 1.00 |" in row for row in rows)
        assert "| 13.000 | 13.000 to 13.000 | 12.11 | 4 | 40 |" in text  # of 4 processes


def _text_of_cells(page: str) -> str:
    """The tables of a page as Markdown has them: a row is a line, a bar beside each cell."""
    rows = [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.split(r"</t[dh]>", row)[:-1]]
        for row in re.findall(r"<tr\b.*?</tr>", page, flags=re.DOTALL)
    ]
    return "\n".join([re.sub(r"<[^>]*>", "", page), *(f"| {' | '.join(row)} |" for row in rows)])
