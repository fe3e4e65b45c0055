"""What a user says of inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.bench.measure.inputs import given_inputs, placed, require_used
from shufflenet_deploy.runtime.engines.given import GivenInput, UsedInput
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import sha256

X = UsedInput(name="x", shape=(1,), dtype="float32", values="normal")
Y = UsedInput(name="y", shape=(1,), dtype="int64", values="zeros")


@pytest.mark.parametrize(
    ("shapes", "ranges", "wanted"),
    [
        (["x=1x3x48x192"], [], [GivenInput(name="x", shape=(1, 3, 48, 192))]),
        (["x=1,3,48,192"], [], [GivenInput(name="x", shape=(1, 3, 48, 192))]),
        (["1x8"], [], [GivenInput(shape=(1, 8))]),
        (["a=b=7"], [], [GivenInput(name="a=b", shape=(7,))]),
        ([], ["serving_default_x:0=0:9"], [GivenInput(name="serving_default_x:0", range=(0, 9))]),
        ([], ["rate=16000"], [GivenInput(name="rate", range=(16000, 16000))]),
        ([], ["-1.5:2e3"], [GivenInput(range=(-1.5, 2000))]),
        (["x=2"], ["x=0:1"], [GivenInput(name="x", shape=(2,), range=(0, 1))]),
        (
            ["x=2", "y=3"],
            ["y=0:1"],
            [GivenInput(name="x", shape=(2,)), GivenInput(name="y", shape=(3,), range=(0, 1))],
        ),
    ],
)
def test_options_become_one_record_for_each_input(
    shapes: list[str], ranges: list[str], wanted: list[GivenInput]
) -> None:
    assert given_inputs(shapes, ranges, ()) == tuple(wanted)


@given(st.text(), st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=32))
def test_any_name_and_shape_is_read(name: str, shape: list[int]) -> None:
    text = f"{name}={'x'.join(map(str, shape))}"
    assert given_inputs([text], (), ()) == (GivenInput(name=name or None, shape=tuple(shape)),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "x=",
        "x=1x",
        "x=0x1",
        "x=-1",
        "x=1 x 2",
        "x=²",
        f"x={2**31}",
        "x=" + "1x" * 40 + "1",
    ],
)
def test_a_shape_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match=r"--shape .*: give an input's name and its sizes") as no:
        given_inputs([text], (), ())
    assert no.value.usage


@pytest.mark.parametrize("text", ["", "x=", "x=a:b", "x=2:1", "x=nan", "x=0:inf", "x=1:2:3"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match=r"--range .*: give an input's name, its lowest") as no:
        given_inputs((), [text], ())
    assert no.value.usage


@pytest.mark.parametrize("name", ["input.npy", "a=b.npy"])
def test_a_file_is_known_by_its_hash(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    np.save(path, np.ones(3))
    record = GivenInput(file=str(path), sha256=sha256(path))
    assert given_inputs((), (), [str(path)]) == (record,)
    (named,) = given_inputs((), (), [f"x={path}"])
    assert (named.name, named.file) == ("x", str(path))
    assert placed([named], lambda file: f"/there{file}")[0].file == f"/there{path}"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for text in ("x=", f"x={tmp_path / 'no.npy'}", str(tmp_path), "no.npy"):
        with pytest.raises(BenchError, match=r"--input .* cannot read .*; give") as refused:
            given_inputs((), (), [text])
        assert refused.value.usage


def test_an_input_is_told_of_once(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.ones(3))
    for shapes, ranges, files in (
        (["x=1", "x=2"], [], []),
        ([], ["x=1", "x=1"], []),
        (["x=1"], [], [f"x={path}"]),
        ([], ["x=1"], [f"x={path}"]),
        ([], [], [f"x={path}", f"x={path}"]),
    ):
        with pytest.raises(BenchError, match=r"the same input has --.* already"):
            given_inputs(shapes, ranges, files)


@pytest.mark.parametrize(
    ("name", "taken", "message"),
    [
        ("z", [[X], [Y]], "no model has an input 'z': choose 'x', 'y'"),
        (None, [[X, Y]], "a model has several inputs: name one of 'x', 'y'"),
        ("x", [[]], "these models have manifests"),
    ],
)
def test_what_no_model_takes_is_refused(
    name: str | None, taken: list[list[UsedInput]], message: str
) -> None:
    with pytest.raises(BenchError, match=message) as refused:
        require_used([GivenInput(name=name, shape=(1,))], taken)
    assert refused.value.usage


def test_what_one_model_takes_is_used() -> None:
    require_used([GivenInput(name="y", shape=(1,))], [[], [X], [X, Y]])
    require_used([GivenInput(shape=(1,))], [[X], [X, Y]])
