"""Whatever goes wrong in a long measurement over SSH, nothing that was measured is lost.

Faults come at random, from a seed, in a deck that is shuffled anew once each kind has come. By
itself it is short; ``make soak`` has half an hour.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_cache import shared_bundle
from shufflenet_deploy.bench.results import Timed, read
from soak_faults import FAULTS, Fault
from soaked import Soaked, soaked
from ssh_pi import await_left

pytestmark = pytest.mark.network

_MINUTES = float(os.environ.get("SOAK", "0.5"))
_SEED = int(os.environ.get("SEED", "0"))
_LONGEST_PAUSE = 30.0
"""Seconds before a fault: a process takes some ten."""


def test_nothing_that_was_measured_is_lost(
    tiny_artifacts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared_bundle("litert")
    (artifact,) = tiny_artifacts.glob("*x0.25*.tflite")
    with soaked(tmp_path, artifact) as scene:
        undisturbed = scene.command.run(*scene.words(1, "--interval", "1000"))
        assert undisturbed.code == 0, undisturbed.stderr
        before = scene.left_on_device()
        scene.command.out.unlink()

        came = soak(scene)
        assert came
        with capsys.disabled():
            print(f"\nseed {_SEED}, {_MINUTES} minutes: {tally(scene, came)}")

        whole = len(scene.account.kept) + 1
        resumed = scene.command.run(*scene.words(whole, "--interval", "1000", "--resume"))
        assert resumed.code == 0, resumed.stderr
        assert resumed.results["ended"] == "done"
        scene.account.audit()
        require_complete(scene, whole)
        scene.await_nothing_on_host()
        await_left(scene.board)
        assert scene.left_on_device() == before
        assert scene.left_on_host() == ["host-disk/results.json"]


def soak(scene: Soaked) -> Counter[str]:
    """Measure, while faults come, until the time is up; how often each came."""
    dice = random.Random(_SEED)
    deck = drawn(dice)
    came: Counter[str] = Counter()
    staying: list[Fault] = []
    end = time.monotonic() + 60 * _MINUTES
    scene.start()
    while time.monotonic() < end:
        scene.measure_for(dice.uniform(0, _LONGEST_PAUSE))
        fault = next(deck)
        came[fault.name] += 1
        fault.begin(scene, dice)
        if fault.stays:
            staying.append(fault)
            continue
        scene.settle()
        fault.end(scene, dice)
        scene.go_on()
        if staying:
            scene.settle()
            while staying:
                staying.pop().end(scene, dice)
            scene.go_on()
    while staying:
        staying.pop().end(scene, dice)
    scene.stop()
    return came


def tally(scene: Soaked, came: Counter[str]) -> str:
    """What happened, in lines."""
    faults = [f"{number:4d} times {name}" for name, number in came.most_common()]
    ends = [f"{number:4d} times it ended: {name}" for name, number in scene.ends.most_common()]
    return "\n".join([f"{len(scene.account.kept)} processes are kept", *faults, *ends])


def drawn(dice: random.Random) -> Iterator[Fault]:
    """Faults without end: each kind once, before one comes again."""
    while True:
        yield from dice.sample(FAULTS, len(FAULTS))


def require_complete(scene: Soaked, processes: int) -> None:
    """As many processes as were asked for, each with all its samples, in the order of time."""
    results = read(scene.command.out)
    assert [run.process for run in results.runs] == list(range(processes))
    for run in results.runs:
        assert isinstance(run, Timed)
        (model,) = run.models
        assert len(model.bursts) >= 2
        assert all(len(burst.samples_ns) == results.parameters.timed for burst in model.bursts)
    starts = [run.start_seconds for run in results.runs if isinstance(run, Timed)]
    assert starts == sorted(starts)
