"""``shufflenet-bench`` with an option by which nothing is compared, and its own document."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shufflenet_deploy.bench.commands.job import Job, opened
from shufflenet_deploy.runtime.errors import BenchError

if TYPE_CHECKING:
    from rich.console import Console

    from shufflenet_deploy.bench.devices import Device
    from shufflenet_deploy.bench.measure.artifacts import Subject
    from shufflenet_deploy.bench.measure.protocol import Report
    from shufflenet_deploy.bench.results import Parameters
    from shufflenet_deploy.runtime.machine.environment import Environment

_T = TypeVar("_T")


def profile(job: Job, engines: Sequence[str]) -> None:
    """Where the time of each model goes. Raises `BenchError` where an engine has no profiler."""
    from shufflenet_deploy.bench.measure.alone.profiling import check_profilers, encode, profiles
    from shufflenet_deploy.bench.report.kinds.profile import show

    check_profilers(engines)
    _require_latency(job, "--profile")
    with _models(job) as (device, _, subjects, parameters, report):
        profiled = list(profiles(device, subjects, parameters, report))
    _deliver(job, encode(profiled), profiled, show)


def sustain(job: Job, minutes: float) -> None:
    """One model without pause. Raises `BenchError` where it was interrupted, with what is kept."""
    import msgspec

    from shufflenet_deploy.bench.devices.boards import target
    from shufflenet_deploy.bench.measure.alone.sustained import sustained
    from shufflenet_deploy.bench.report.kinds.sustained import show

    _require_latency(job, "--sustained")
    with _models(job) as (device, environment, subjects, parameters, report):
        to = target(job.board, environment)
        load = sustained(device, to, environment, subjects, parameters, minutes, report)
    _deliver(job, msgspec.json.encode(load) + b"\n", [load], show)
    if load.interrupted:
        raise BenchError(f"interrupted: what was measured until then is in {job.out}")


def label(job: Job, image: Path) -> None:
    """From an image to a label. Raises `BenchError` as `end_to_end` does.

    Raises `InferenceError` for what is no image, before the device is asked for.
    """
    import msgspec

    from shufflenet_deploy.bench.devices.boards import target
    from shufflenet_deploy.bench.measure.alone.end_to_end import end_to_end
    from shufflenet_deploy.bench.report.kinds.end_to_end import show
    from shufflenet_deploy.runtime.preprocess import read_image

    _require_latency(job, "--end-to-end")
    pixels = read_image(image)
    size = pixels.height, pixels.width
    with _models(job) as (device, environment, subjects, parameters, report):
        to = target(job.board, environment)
        measured = end_to_end(device, to, environment, subjects, parameters, image, size, report)
    _deliver(job, msgspec.json.encode(measured) + b"\n", [measured], show)


@contextmanager
def _models(job: Job) -> Iterator[tuple[Device, Environment, list[Subject], Parameters, Report]]:
    """The device, what it is, the models for it, and how; progress is shown meanwhile."""
    from shufflenet_deploy.bench.measure.progress import shown
    from shufflenet_deploy.bench.paper.claims import load_paper

    paper = load_paper()
    with opened(job) as (device, environment, parameters):
        subjects = job.choice.subjects(paper, job.options.tell)
        with shown(job.stderr, paper) as view:
            yield device, environment, subjects, parameters, view.report


def _require_latency(job: Job, option: str) -> None:
    if not job.board.latency:
        raise BenchError(f"{option}: the time of {job.board.name} is no latency", usage=True)


def _deliver(
    job: Job, document: bytes, parts: Sequence[_T], show: Callable[[_T, Console], None]
) -> None:
    """Write `document`, and print it or show its `parts`."""
    from shufflenet_deploy.bench.documents import write
    from shufflenet_deploy.bench.presentation.terminal import stdout_console, tell

    write(job.out, document)
    if job.as_json:
        sys.stdout.buffer.write(document)
        return
    for part in parts:
        show(part, stdout_console())
    tell(f"written: {job.out}", job.stderr)
