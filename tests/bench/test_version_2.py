"""A file that `shufflenet-bench` wrote before engines could be chosen, and what is read of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shufflenet_deploy.bench.analysis.summarise import summarise
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import RESULTS_VERSION, Timed, read, write
from shufflenet_deploy.bench.version_2 import from_version_2
from shufflenet_deploy.runtime.errors import BenchError

OLD = Path(__file__).parents[1] / "data" / "results-version-2.json"


@pytest.fixture
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(OLD.read_text())
    assert loaded["version"] == 2
    return loaded


def test_all_that_it_says_is_kept_and_models_get_their_engines_and_remarks(
    document: dict[str, Any],
) -> None:
    results = read(OLD)
    assert results.version == RESULTS_VERSION
    assert [model.engine for model in results.models] == ["onnxruntime", "litert"]
    probes = [model.probe for model in results.models if model.probe]
    assert [probe.remarks for probe in probes] == [{}, {"delegate_partitions": 1}]
    for probe, old in zip(probes, document["models"], strict=True):
        assert probe.engine_version == old["probe"]["engine_version"]
        assert probe.peak_memory_bytes == old["probe"]["peak_memory_bytes"]
    assert results.peak_multiply_adds_per_second == {
        1: document["peak_multiply_adds_per_second"]["1"]
    }
    assert results.parameters.max_processes == document["parameters"]["most_processes"]
    assert [block.id for block in results.blocks] == ["named, 1 thread"]
    times = [run.models[0].bursts[0].samples_ns for run in results.runs if isinstance(run, Timed)]
    assert times == [tuple(run["models"][0]["bursts"][0]["samples_ns"]) for run in document["runs"]]


def test_what_is_read_of_it_can_be_summarised_and_is_written_as_the_new_version(
    tmp_path: Path,
) -> None:
    results = read(OLD)
    summary = summarise(results, load_paper())
    assert [model.setting.engine for model in summary.models] == [
        "onnxruntime 1.32.0",
        "litert 2.3.0",
    ]
    assert all(model.latency_ms for model in summary.models)
    write(tmp_path / "new.json", results)
    assert read(tmp_path / "new.json") == results
    assert json.loads((tmp_path / "new.json").read_text())["version"] == RESULTS_VERSION


def test_a_distribution_of_an_engine_is_that_engine_and_a_model_without_a_probe_its_formats_first(
    document: dict[str, Any],
) -> None:
    first, second = document["models"]
    first["probe"] = None
    second["probe"]["engine"] = "tflite-runtime"
    converted = from_version_2(document)
    assert [model["engine"] for model in converted["models"]] == ["onnxruntime", "litert"]
    assert converted["models"][1]["probe"]["engine"] == "tflite-runtime"


@pytest.mark.parametrize(
    "models", [None, 3, [None], [{"name": "a"}], [{"probe": 1, "format": []}], "x"]
)
def test_what_is_not_of_its_form_is_refused_in_one_line(
    models: object, document: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({**document, "models": models}))
    with pytest.raises(BenchError, match="holds no results") as caught:
        read(path)
    assert "\n" not in str(caught.value)
