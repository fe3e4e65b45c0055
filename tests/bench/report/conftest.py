"""A measurement of a board, and its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from measured_board import a_measurement, derived
from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.to_html import to_html

MakeReportData = Callable[..., ReportData]


@pytest.fixture(scope="session")
def make_report_data() -> MakeReportData:
    """Makes a measurement with its summary, see `a_measurement`."""
    return lambda **options: derived(a_measurement(**options))


@pytest.fixture(scope="session")
def data() -> ReportData:
    """A whole suite of claims with every outcome, sensors, and reasons to warn."""
    return derived(a_measurement())


@pytest.fixture(scope="session")
def page(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `data`."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(to_html(data), encoding="utf-8")
    return path
