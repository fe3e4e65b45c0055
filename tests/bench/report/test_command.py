from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from shufflenet_deploy.bench.commands import report as command
from shufflenet_deploy.bench.report import write
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.to_csv import COLUMNS

Report = Callable[..., tuple[int, str, str]]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Report:
    """Runs the command; returns its exit code, stdout and stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["shufflenet-report", *map(str, words)])
        with pytest.raises(SystemExit) as exit_:
            command.main()
        captured = capfd.readouterr()
        assert isinstance(exit_.value.code, int)
        return exit_.value.code, captured.out, captured.err

    return run


@pytest.fixture
def results(make_report_data: Callable[..., ReportData], tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    data = make_report_data(latency=False, sizes=((224, 224),))
    path.write_bytes(msgspec.json.encode(data.results))
    return path


def test_it_writes_every_kind_that_is_asked_for(report: Report, results: Path) -> None:
    paths = [results.with_name(name) for name in ("a.html", "b.md", "c.CSV")]
    code, _, err = report(results, *(word for path in paths for word in ("--out", path)))
    assert code == 0, err
    html, markdown, table = (path.read_text(encoding="utf-8") for path in paths)
    assert html.startswith("<!DOCTYPE html>")
    assert markdown.startswith("# ")
    assert table.startswith("created,")


def test_it_writes_a_page_where_nothing_else_is_said(
    report: Report, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(results.parent)
    assert report()[0] == 0
    assert (results.parent / "report.html").is_file()


@pytest.mark.parametrize(
    ("content", "code"), [("{", 1), ("[]", 1), ('{"version": 1}', 1), (None, 2)]
)
def test_results_that_cannot_be_used_are_one_line_and_leave_nothing(
    report: Report, tmp_path: Path, content: str | None, code: int
) -> None:
    source, out = tmp_path / "results.json", tmp_path / "report.html"
    if content is not None:
        source.write_text(content)
    got, _, err = report(source, "--out", out)
    assert got == code
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert str(source) in err
    assert not out.exists()


@pytest.mark.parametrize("name", ["report.pdf", "report", "missing/report.html", "."])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_read(
    report: Report, tmp_path: Path, name: str
) -> None:
    code, _, err = report(tmp_path / "unread.json", "--out", tmp_path / name)
    assert code == 2
    assert err.startswith("error: --out ")
    assert err.count("\n") == 1


def test_a_failure_leaves_the_report_before_as_it_was(
    report: Report, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = results.with_name("report.md")
    before = "# Of something\n\nMeasured before.\n"
    out.write_text(before)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(out))

    monkeypatch.setattr(Path, "write_text", full)
    code, _, err = report(results, "--out", out)
    assert code == 1
    assert "No space left" in err
    assert out.read_text() == before
    assert sorted(path.name for path in out.parent.iterdir()) == ["report.md", "results.json"]


@pytest.mark.parametrize("name", ["report.html", "report.md", "report.csv"])
def test_it_replaces_itself_and_nothing_else(report: Report, results: Path, name: str) -> None:
    out = results.with_name(name)
    for _ in range(2):
        assert report(results, "--out", out)[0] == 0
    out.write_text("<p>a page, a text or a table of somebody's own\n")
    before = out.read_bytes()
    code, _, err = report(results, "--out", out)
    assert code == 2
    assert f"--out {out} is a file that holds something else than a report of ours" in err
    assert out.read_bytes() == before
    out.write_text("")  # as mktemp makes it
    assert report(results, "--out", out)[0] == 0


def test_without_what_draws_it_one_line_says_what_to_install(
    report: Report, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "find_spec", lambda name: None)
    code, _, err = report(results, "--out", results.with_name("report.html"))
    assert code == 1
    assert "pip install 'shufflenet-deploy[report]'" in err
    assert err.count("\n") == 1
    assert report(results, "--out", results.with_name("report.md"))[0] == 0


def test_the_columns_are_explained(report: Report) -> None:
    code, out, _ = report("--columns")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [column.name for column in COLUMNS]


def test_help_needs_nothing_that_is_slow_to_import() -> None:
    program = (
        "import sys\n"
        "from shufflenet_deploy.bench.commands.report import main\n"
        "sys.argv = ['shufflenet-report', '--help']\n"
        "try: main()\n"
        "except SystemExit as exit: assert exit.code == 0\n"
        "slow = {'matplotlib', 'jinja2', 'numpy', 'msgspec'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--out" in done.stdout
