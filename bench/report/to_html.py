"""The report as one page that needs nothing else: neither a network nor a script."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from shufflenet_deploy.bench.analysis.wording import count, sentence
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.document import document
from shufflenet_deploy.bench.report.plots import Plot
from shufflenet_deploy.bench.report.plots.alexnet import alexnet
from shufflenet_deploy.bench.report.plots.course import course
from shufflenet_deploy.bench.report.plots.distributions import distributions
from shufflenet_deploy.bench.report.plots.front import front
from shufflenet_deploy.bench.report.plots.latency import latency
from shufflenet_deploy.bench.report.plots.scaling import scaling
from shufflenet_deploy.bench.report.verdicts import MEANINGS, SYMBOLS


def to_html(data: ReportData) -> str:
    """The whole page."""
    text = _template().render(
        data=data,
        style=Markup(_read("style.css")),
        parts=document(data),
        symbols=SYMBOLS,
        meanings=MEANINGS,
        plots=list(_plots(data)),
        latency=latency(data),
    )
    return text.strip() + "\n"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(_read),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["svg"] = Markup  # drawn here: what it quotes, matplotlib has escaped
    environment.filters["sentence"] = sentence
    environment.filters["count"] = count
    return environment.get_template("template.html")


def _plots(data: ReportData) -> Iterator[Plot]:
    """A suite's in any case, with what is missing; of the user's own models those with content."""
    plots = [front(data)] if data.summary.front else []
    if data.results.suite is not None:
        yield from (scaling(data), alexnet(data), distributions(data), course(data), *plots)
        return
    for plot in (*plots, scaling(data), alexnet(data), distributions(data), course(data)):
        if plot.panels:
            yield plot


def _read(name: str) -> str:
    return files("shufflenet_deploy.bench.report").joinpath(name).read_text(encoding="utf-8")
