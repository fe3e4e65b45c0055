from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shufflenet_deploy.bench.results import (
    Checked,
    CheckedModel,
    Model,
    Results,
    check_writable,
    read,
    write,
)
from shufflenet_deploy.runtime.errors import BenchError


@pytest.fixture
def results(make_model: Callable[..., Model], make_results: Callable[..., Results]) -> Results:
    return make_results(make_model("shufflenet-v1", 0.5), make_model("alexnet"))


def test_what_is_written_is_read(tmp_path: Path, results: Results) -> None:
    write(tmp_path / "results.json", results)
    assert read(tmp_path / "results.json") == results
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_numbers_of_threads_stay_numbers(tmp_path: Path, results: Results) -> None:
    # JSON has only text as keys.
    peaked = replace(results, peak_multiply_adds_per_second={1: 1e9, 4: 3.5e9})
    write(tmp_path / "results.json", peaked)
    assert read(tmp_path / "results.json") == peaked


def test_checks_and_times_are_told_apart(tmp_path: Path, results: Results) -> None:
    (block,) = results.blocks
    models = (CheckedModel(member=0, difference=None), CheckedModel(member=1, difference=0.0))
    check = Checked(block=block.id, process=0, models=models)
    mixed = replace(results, runs=(check, *results.runs))
    write(tmp_path / "results.json", mixed)
    assert read(tmp_path / "results.json").runs == mixed.runs


def test_a_check_that_holds_a_time_is_no_results(tmp_path: Path, results: Results) -> None:
    document = msgspec.json.decode(msgspec.json.encode(results))
    document["runs"][0]["type"] = "checked"
    path = tmp_path / "results.json"
    path.write_bytes(msgspec.json.encode(document))
    with pytest.raises(BenchError, match="holds no results"):
        read(path)


def test_missing_results_are_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"cannot read the results .*No such file") as caught:
        read(tmp_path / "none.json")
    assert caught.value.usage


def test_results_of_another_version_are_refused(tmp_path: Path, results: Results) -> None:
    path = tmp_path / "results.json"
    document = msgspec.json.decode(msgspec.json.encode(results))
    path.write_bytes(msgspec.json.encode(document | {"version": 99, "new": 1}))
    with pytest.raises(BenchError, match="version 99 and this is a reader of version 3"):
        read(path)


@given(st.data())
def test_broken_results_are_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "broken.json"
    whole = b'{"version":3,"created":"2026-01-02","suite":null,"models":[{"name":"a"}]}'
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut] + data.draw(st.binary(max_size=8)))
    with pytest.raises(BenchError) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_path_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.json")
    (tmp_path / "old.json").write_text("old")
    check_writable(tmp_path / "old.json")
    check_writable(Path("results.json"))
    assert (tmp_path / "old.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=f"there is no folder {tmp_path}/none") as caught:
        check_writable(tmp_path / "none" / "results.json")
    assert caught.value.usage


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="is a folder: name a file in it"):
        check_writable(tmp_path)


def test_a_folder_that_cannot_be_written_is_named() -> None:
    # /proc refuses new files even to root, whom permissions do not stop.
    with pytest.raises(BenchError, match="cannot write to the folder /proc") as caught:
        check_writable(Path("/proc/results.json"))
    assert caught.value.usage


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["blocks"][0].update(threads=2), r"has 2 threads, which it did not ask for"),
        (lambda r: r["blocks"].append(r["blocks"][0]), "two of its blocks have one name"),
        (lambda r: r["blocks"][0].update(members=[0]), r"ran model 1, not in it"),
        (lambda r: r["models"][1].update(probe=None), "model 1 was measured and never loaded"),
    ],
)
def test_results_that_contradict_themselves_are_refused(
    tmp_path: Path, results: Results, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    document = json.loads(msgspec.json.encode(results))
    change(document)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BenchError, match=f"contradicts itself: .*{message}; measure again"):
        read(path)
