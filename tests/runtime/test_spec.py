"""What a worker is asked and what it answers, and a spec that is wrong, through the real worker."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime import MAX_THREADS
from shufflenet_deploy.runtime.spec import Answer, Burst, ModelAnswer, Spec

Work = Callable[..., subprocess.CompletedProcess[str]]

_count = st.integers(0, 2**62)

_specs = st.builds(
    Spec,
    artifacts=st.lists(st.text(), min_size=1).map(tuple),
    rounds=_count,
    threads=st.integers(1, MAX_THREADS),
    warm_up=_count,
    untimed=_count,
    timed=st.integers(1, 2**62),
    seed=st.integers(-(2**62), 2**62),
)

_answers = st.builds(
    ModelAnswer,
    artifact=st.text(),
    sha256=st.text(),
    engine=st.text(),
    engine_version=st.text(),
    delegate_partitions=st.none() | _count,
    load_ns=_count,
    first_run_ns=_count,
    difference=st.floats(0, 1),
    peak_memory_bytes=st.none() | _count,
    bursts=st.lists(
        st.builds(
            Burst,
            round=_count,
            position=_count,
            cold_ns=st.none() | _count,
            samples_ns=st.lists(_count, max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
)


@given(spec=_specs)
def test_a_spec_reads_back_as_it_was_written(spec: Spec) -> None:
    assert msgspec.json.decode(msgspec.json.encode(spec), type=Spec) == spec


@given(model=_answers)
def test_an_answer_reads_back_as_it_was_written(model: ModelAnswer) -> None:
    answer = Answer(threads=1, interrupted=False, models=(model,))
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer


_WRONG = {
    "nothing": (b"", "truncated"),
    "no JSON": (b"artifacts: x.onnx", "malformed"),
    "no object": (b"[1]", "Expected `object`, got `array`"),
    "no UTF-8": (b'{"artifacts": ["\xff"]}', "can't decode byte 0xff"),
    "cut off": (b'{"artifacts": ["x.onnx"', "truncated"),
    "no artifacts": (b'{"rounds": 1}', "missing required field `artifacts`"),
    "empty artifacts": (b'{"artifacts": []}', "length >= 1 - at `$.artifacts`"),
    "unknown field": (b'{"artifacts": ["x.onnx"], "thread": 2}', "unknown field `thread`"),
    "a string for a list": (b'{"artifacts": "x.onnx"}', "got `str` - at `$.artifacts`"),
    "half a round": (b'{"artifacts": ["x.onnx"], "rounds": 1.5}', "got `float` - at `$.rounds`"),
    "rounds -1": (b'{"artifacts": ["x.onnx"], "rounds": -1}', ">= 0 - at `$.rounds`"),
    "no threads": (b'{"artifacts": ["x.onnx"], "threads": 0}', ">= 1 - at `$.threads`"),
    "too many threads": (
        b'{"artifacts": ["x.onnx"], "threads": %d}' % (MAX_THREADS + 1),
        f"<= {MAX_THREADS} - at `$.threads`",
    ),
    "nothing timed": (b'{"artifacts": ["x.onnx"], "timed": 0}', ">= 1 - at `$.timed`"),
}


@pytest.mark.parametrize(("spec", "reason"), _WRONG.values(), ids=_WRONG)
def test_a_wrong_spec_is_told_in_one_line_with_exit_code_2(
    work: Work, spec: bytes, reason: str
) -> None:
    worker = work(stdin=spec)
    assert worker.returncode == 2
    assert worker.stdout == ""
    (line,) = worker.stderr.splitlines()
    assert line.startswith("error: the spec is wrong: ")
    assert reason in line


def test_a_wrong_spec_in_a_file_is_told_likewise(work: Work, tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_bytes(_WRONG["unknown field"][0])
    worker = work(path)
    assert worker.returncode == 2
    assert worker.stdout == ""
    assert worker.stderr == ("error: the spec is wrong: Object contains unknown field `thread`\n")


def test_a_spec_that_cannot_be_read_is_told_by_its_name(work: Work, tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "gone.json", "No such file"), (tmp_path, "Is a directory")):
        worker = work(path)
        assert worker.returncode == 2
        assert worker.stdout == ""
        (line,) = worker.stderr.splitlines()
        assert line.startswith(f"error: cannot read the spec {path}: {reason}")
