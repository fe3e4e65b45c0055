from __future__ import annotations

import io

import pytest
from rich.console import Console

from shufflenet_deploy.bench.presentation.tables import Column, Table
from shufflenet_deploy.bench.presentation.terminal import (
    show_lines,
    show_table,
    stderr_console,
    stdout_console,
    tell,
)

TABLE = Table(
    "what stands where, told alone",
    (
        Column("model", words=True),
        Column("latency (ms)", "latency\nms"),
        Column("95% interval (ms)", wide_only=True),
        Column("verdict", outcome=True),
    ),
    (("[bold]one[/bold] :smile:", "1.23", "1.20 to 1.26", "faster"), ("all", "4", "", "slower")),
    brief="what stands where",
    total=True,
)


def text_of(width: int = 80, colours: bool = False) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=colours,
        color_system="standard" if colours else None,
        emoji=False,
    )
    show_table(TABLE, console)
    return stream.getvalue()


def test_a_terminal_has_the_brief_caption_and_headings_and_no_wide_column() -> None:
    lines = [" ".join(line.split()) for line in text_of().splitlines()]
    assert lines[0] == "what stands where"
    assert lines[2:4] == ["latency", "model ms verdict"]
    assert lines[5:] == ["[bold]one[/bold] :smile: 1.23 faster", "all 4 slower", ""]


def test_outcomes_have_their_colour_and_the_total_is_bold() -> None:
    text = text_of(colours=True)
    green, bold_red = "\x1b[32m", "\x1b[1;31m"
    assert f"{green} faster" in text
    assert f"{bold_red} slower" in text
    assert "\x1b[" not in text_of()


def test_a_long_name_is_folded_and_no_figure_is_cut() -> None:
    text = text_of(width=30)
    assert max(map(len, text.splitlines())) <= 30
    assert "…" not in text
    assert "1.23" in text


@pytest.mark.parametrize("columns", ["20", "80"])
def test_piped_no_line_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    line = "a note [of] many :smile: words " * 20
    show_lines([line], stdout_console())
    show_table(TABLE, stdout_console())
    tell(line, stderr_console())
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{line}\nwhat stands where\n\n")
    assert captured.err == f"{line}\n"
