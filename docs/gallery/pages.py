"""A hook of mkdocs: the gallery's reports, made by shufflenet-report while the pages are built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shufflenet_deploy.bench.analysis.summarise import summarise
from shufflenet_deploy.bench.analysis.warnings import notes
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.to_html import to_html
from shufflenet_deploy.bench.results import read

HERE = Path(__file__).parent


def on_post_build(config: Any) -> None:
    """Write a page for each of the results that lie here."""
    paper = load_paper()
    folder = Path(config["site_dir"]) / "gallery"
    for source in sorted(HERE.glob("*.json")):
        results = read(source)
        data = ReportData(results, summarise(results, paper), paper, notes(results))
        folder.mkdir(exist_ok=True)
        (folder / f"{source.stem}.html").write_text(to_html(data), encoding="utf-8")
