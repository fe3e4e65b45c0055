from __future__ import annotations

import io

from rich.console import Console

from shufflenet_deploy.bench.progress import shown
from shufflenet_deploy.bench.protocol import Step
from shufflenet_deploy.runtime.spec import Progress

ALONE = Step("alone: [a].onnx", 1, 2, (0,), 0)
TURNS = Step("in turns: onnx, 1 model", 2, 2, (0,), 8)


def show(terminal: bool) -> str:
    stream = io.StringIO()
    with shown(Console(file=stream, force_terminal=terminal, width=100)) as report:
        report(ALONE, Progress(stage="load", done=0, total=1))
        report(TURNS, Progress(stage="load", done=0, total=1))
        report(TURNS, Progress(stage="warm up", done=0, total=1))
        for done in range(9):
            report(TURNS, Progress(stage="round", done=done, total=8))
    return stream.getvalue()


def test_a_log_gets_a_line_for_each_worker_and_each_quarter() -> None:
    assert show(terminal=False).splitlines() == [
        "[1/2] alone: [a].onnx",
        "[2/2] in turns: onnx, 1 model",
        "[2/2] in turns: onnx, 1 model, round 2 of 8",
        "[2/2] in turns: onnx, 1 model, round 4 of 8",
        "[2/2] in turns: onnx, 1 model, round 6 of 8",
        "[2/2] in turns: onnx, 1 model, round 8 of 8",
    ]


def test_a_terminal_gets_a_bar_that_names_what_runs() -> None:
    text = show(terminal=True)
    assert "[2/2] in turns: onnx, 1 model, round" in text
    assert "8/8" in text
