from __future__ import annotations

import csv
import io
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shufflenet_deploy.bench.report.data import ReportData
from shufflenet_deploy.bench.report.to_csv import COLUMNS, to_csv


def rows(data: ReportData) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(data), newline="")))


def test_it_has_a_row_for_each_model_and_number_of_threads(
    make_report_data: Callable[..., ReportData],
) -> None:
    data = make_report_data(sizes=((224, 224),), threads=(1, 2))
    found = [(row["file"], row["threads"]) for row in rows(data)]
    assert len(found) == len(set(found)) == 2 * len(data.results.models)


def test_its_figures_are_the_summarys(data: ReportData) -> None:
    for row, model in zip(rows(data), data.summary.models, strict=True):
        assert model.latency_ms
        assert float(row["latency_ms"]) == model.latency_ms.value
        assert float(row["latency_low_ms"]) == model.latency_ms.low
        assert float(row["p99_ms"]) == model.p99_ms
        assert int(row["multiply_adds"]) == model.multiply_adds


def test_every_column_has_a_meaning_and_times_have_their_unit() -> None:
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    assert all(column.meaning for column in COLUMNS)


def test_an_emulated_processor_has_no_latency(make_report_data: Callable[..., ReportData]) -> None:
    for row in rows(make_report_data(latency=False)):
        assert row["emulated"] == "yes"
        assert not any(value for name, value in row.items() if name.endswith("_ms"))


@settings(max_examples=50)
@given(label=st.text(max_size=40))
def test_any_name_is_one_cell_as_it_is(
    make_report_data: Callable[..., ReportData], label: str
) -> None:
    data = make_report_data(latency=False, sizes=((224, 224),))
    first, *others = data.summary.models
    summary = replace(data.summary, models=(replace(first, label=label), *others))
    odd = rows(ReportData(data.results, summary, data.paper))
    assert odd[0]["label"] == label
    assert len(odd) == 1 + len(others)
