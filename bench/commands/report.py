"""``shufflenet-report``: results in; a page, a text or a table out.

Only what the options need is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from shufflenet_deploy.bench.commands.judging import Evaluated
from shufflenet_deploy.runtime.command_line import Version, neighbours, run

app = typer.Typer()


def _show_columns(show: bool) -> None:
    if show:
        from shufflenet_deploy.bench.report.to_csv import COLUMNS

        width = max(len(column.name) for column in COLUMNS)
        for column in COLUMNS:
            typer.echo(f"{column.name:{width}}  {column.meaning}")
        raise typer.Exit


@app.command(epilog=neighbours("shufflenet-report"))
def report(
    source: Annotated[
        Path,
        typer.Argument(metavar="RESULTS", help="What shufflenet-bench --out wrote."),
    ] = Path("results.json"),
    out: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            show_default="report.html",
            help="Where to write: .html is one page that needs nothing else, .md Markdown, .csv a "
            "row for each model and number of threads. May be given several times.",
        ),
    ] = None,
    evaluated: Evaluated = None,
    columns: Annotated[
        bool,
        typer.Option(
            "--columns",
            callback=_show_columns,
            is_eager=True,
            help="Print what the columns of the CSV file mean, and stop.",
        ),
    ] = False,
    version: Version = False,
) -> None:
    """Report what was measured: verdicts on the paper first, then the evidence for them."""
    from shufflenet_deploy.bench.analysis.summarise import summarise
    from shufflenet_deploy.bench.analysis.warnings import notes
    from shufflenet_deploy.bench.paper.claims import load_paper
    from shufflenet_deploy.bench.report.write import check_path, write_report
    from shufflenet_deploy.bench.results import read

    paths = out or [Path("report.html")]
    for path in paths:
        check_path(path)
    results, paper = read(source), load_paper()
    if evaluated:
        from shufflenet_deploy.bench.accuracy.of_results import read as read_evaluation
        from shufflenet_deploy.bench.accuracy.of_results import with_accuracy

        results = with_accuracy(results, read_evaluation(evaluated))
    summary = summarise(results, paper)
    for path in paths:
        write_report(results, summary, paper, path, notes(results))
        sys.stderr.write(f"report: {path}\n")


def main() -> NoReturn:
    """Exit codes: 0 done, 1 failed, 2 wrong usage."""
    run(app)


if __name__ == "__main__":
    main()
