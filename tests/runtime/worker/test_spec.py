"""What a worker is asked and what it answers, and a spec that is wrong, through the real worker."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_machine import ENVIRONMENT
from shufflenet_deploy.runtime import MAX_THREADS
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.worker.spec import (
    Answer,
    Burst,
    Canary,
    CoolDown,
    ModelAnswer,
    Skipped,
    Spec,
    WarmUp,
)

Work = Callable[..., subprocess.CompletedProcess[str]]

_count = st.integers(0, 2**62)
_seconds = st.floats(0, 1e6)
_numbers = st.floats(allow_nan=False, allow_infinity=False)
_nanoseconds = st.integers(1, 10**15)
_times = st.lists(_nanoseconds, max_size=3).map(tuple)
_samples = st.lists(_nanoseconds, min_size=1, max_size=3).map(tuple)

_specs = st.builds(
    Spec,
    artifacts=st.lists(st.text()).map(tuple),
    rounds=_count,
    min_rounds=_count,
    seconds=st.none() | _seconds,
    threads=st.integers(1, MAX_THREADS),
    cores=st.lists(_count, max_size=3).map(tuple),
    warm_up=st.builds(WarmUp, minimum=_count, maximum=_count, seconds=_seconds),
    untimed=_count,
    timed=st.integers(1, 2**62),
    rest_seconds=_seconds,
    cool_down=st.none()
    | st.builds(
        CoolDown, temperature_c=st.none() | _numbers, canary_ns=st.none() | _count, seconds=_seconds
    ),
    canary=st.booleans(),
    peak=st.booleans(),
    seed=st.integers(-(2**62), 2**62),
)

_models = st.builds(
    ModelAnswer,
    artifact=st.text(),
    sha256=st.text(),
    engine=st.text(),
    engine_version=st.text(),
    remarks=st.dictionaries(st.text(), _count | st.text() | st.floats(0, 1)),
    load_ns=_count,
    first_run_ns=_count,
    difference=st.none() | st.floats(0, 1),
    peak_memory_bytes=st.none() | _count,
    warm_up_ns=_times,
    stable=st.booleans(),
    bursts=st.lists(
        st.builds(
            Burst,
            round=_count,
            position=_count,
            cold_ns=st.none() | _nanoseconds,
            samples_ns=_samples,
        ),
        max_size=3,
    ).map(tuple),
)

_states = st.builds(
    State,
    seconds=_seconds,
    governors=st.dictionaries(_count, st.text(), max_size=3),
    frequencies_mhz=st.dictionaries(_count, _numbers, max_size=3),
    temperatures_c=st.dictionaries(st.text(), _numbers, max_size=3),
    throttled=st.none() | _count,
    load_average=st.none() | st.tuples(_numbers, _numbers, _numbers),
    available_memory_bytes=st.none() | _count,
    busy_seconds=st.none() | _seconds,
    own_seconds=_seconds,
)

_answers = st.builds(
    Answer,
    threads=_count,
    cores=st.none() | st.lists(_count, max_size=3).map(tuple),
    stopped=st.sampled_from(["rounds", "seconds", "interrupted"]),
    environment=st.just(ENVIRONMENT),
    states=st.lists(_states, max_size=2).map(tuple),
    canary=st.none() | st.builds(Canary, start_ns=_times, end_ns=_times),
    peak_multiply_adds_per_second=st.none() | _numbers,
    skipped=st.lists(
        st.builds(Skipped, artifact=st.text(), needed_bytes=_count, available_bytes=_count),
        max_size=2,
    ).map(tuple),
    models=st.lists(_models, max_size=2).map(tuple),
)


@given(spec=_specs)
def test_a_spec_reads_back_as_it_was_written(spec: Spec) -> None:
    assert msgspec.json.decode(msgspec.json.encode(spec), type=Spec) == spec


@given(answer=_answers)
def test_an_answer_reads_back_as_it_was_written(answer: Answer) -> None:
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer


def test_nothing_needs_to_be_asked() -> None:
    assert msgspec.json.decode(b"{}", type=Spec) == Spec()


_WRONG = {
    "nothing": (b"", "truncated"),
    "no JSON": (b"artifacts: x.onnx", "malformed"),
    "no object": (b"[1]", "Expected `object`, got `array`"),
    "no UTF-8": (b'{"artifacts": ["\xff"]}', "can't decode byte 0xff"),
    "cut off": (b'{"artifacts": ["x.onnx"', "truncated"),
    "unknown field": (b'{"artifacts": ["x.onnx"], "thread": 2}', "unknown field `thread`"),
    "a string for a list": (b'{"artifacts": "x.onnx"}', "got `str` - at `$.artifacts`"),
    "half a round": (b'{"artifacts": ["x.onnx"], "rounds": 1.5}', "got `float` - at `$.rounds`"),
    "rounds -1": (b'{"artifacts": ["x.onnx"], "rounds": -1}', ">= 0 - at `$.rounds`"),
    "no threads": (b'{"artifacts": ["x.onnx"], "threads": 0}', ">= 1 - at `$.threads`"),
    "too many threads": (
        b'{"artifacts": ["x.onnx"], "threads": %d}' % (MAX_THREADS + 1),
        f"<= {MAX_THREADS} - at `$.threads`",
    ),
    "no core": (b'{"cores": [-1]}', ">= 0 - at `$.cores[0]`"),
    "a negative rest": (b'{"rest_seconds": -0.1}', ">= 0.0 - at `$.rest_seconds`"),
    "a rest for ever": (b'{"rest_seconds": 1e300}', "<= 1000000.0 - at `$.rest_seconds`"),
    "beyond numbers": (b'{"seconds": 1e400}', "out of range - at `$.seconds`"),
    "a warm-up of old": (b'{"warm_up": 20}', "Expected `object`, got `int` - at `$.warm_up`"),
    "half a cool-down": (b'{"cool_down": {}}', "missing required field `temperature_c`"),
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


def test_an_engine_is_named_for_each_artifact_or_for_none(work: Work, tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text('{"artifacts": ["a.onnx", "b.tflite"], "engines": ["onnxruntime"]}')
    worker = work(path)
    assert (worker.returncode, worker.stdout) == (2, "")
    assert "1 engines for 2 artifacts: name one for each, or none at all" in worker.stderr
    assert Spec(artifacts=("a", "b")).models() == (("a", None), ("b", None))
    chosen = Spec(artifacts=("a", "b"), engines=(None, "litert"))
    assert chosen.models() == (("a", None), ("b", "litert"))
