"""A report in the kind that its file's name asks for; it replaces nothing but reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from shufflenet_deploy.bench.analysis.summary import Summary
from shufflenet_deploy.bench.paper.claims import Paper
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.results import Results, check_writable
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import staged
from shufflenet_deploy.runtime.files.kind import start_of

_NEEDED = ("matplotlib", "jinja2")


def check_path(path: Path) -> None:
    """Raise `BenchError` where no report could be written to `path`: before anything is read."""
    own = kind(path).own
    check_writable(path)
    try:
        start = start_of(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise BenchError(f"--out {path} cannot be read: {error.strerror}", usage=True) from None
    if start and not own.search(start):
        raise BenchError(
            f"--out {path} is a file that holds something else than a report of ours: it is not "
            "replaced; name another file, or delete it",
            usage=True,
        )


def write_report(
    results: Results, summary: Summary, paper: Paper, path: Path, notes: Sequence[str] = ()
) -> None:
    """Write the report to `path`, whole or not at all, as its suffix says: see `KINDS`."""
    text = kind(path).write(ReportData(results, summary, paper, notes))
    with staged(path) as temporary:
        # newline: a name in a CSV file's cell may hold any kind of line's end.
        temporary.write_text(text, encoding="utf-8", newline="")


@dataclass(frozen=True)
class Kind:
    """A kind of file that a report may be."""

    write: Callable[[ReportData], str]
    """Imports what it needs when it is called."""
    own: re.Pattern[bytes]
    """What such a file of ours has in its first bytes, and hardly any other."""


def kind(path: Path) -> Kind:
    """The kind for the suffix of `path`."""
    try:
        return KINDS[path.suffix.lower()]
    except KeyError:
        raise BenchError(
            f"--out {path}: its name must end in {', '.join(KINDS)}, which says what to write",
            usage=True,
        ) from None


def _html(data: ReportData) -> str:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise BenchError(
            f"a page needs {' and '.join(missing)}: pip install 'shufflenet-deploy[report]'"
        )
    from shufflenet_deploy.bench.report.to_html import to_html

    return to_html(data)


def _markdown(data: ReportData) -> str:
    from shufflenet_deploy.bench.report.to_markdown import to_markdown

    return to_markdown(data)


def _csv(data: ReportData) -> str:
    from shufflenet_deploy.bench.report.to_csv import to_csv

    return to_csv(data)


KINDS = {
    ".html": Kind(_html, re.compile(rb'<meta name="generator" content="shufflenet-deploy">')),
    ".md": Kind(_markdown, re.compile(rb"\A# .*\n\nMeasured .*\.\n")),
    ".csv": Kind(_csv, re.compile(rb"\Acreated,board,")),
}
"""By a file's suffix."""
