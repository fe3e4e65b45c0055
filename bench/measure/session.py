"""A whole measurement: subjects chosen, begun or gone on with, written after each worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console

from shufflenet_deploy.bench.devices import Device
from shufflenet_deploy.bench.documents import load_to_resume
from shufflenet_deploy.bench.measure.artifacts import Subject, open_subjects, provide
from shufflenet_deploy.bench.measure.progress import shown
from shufflenet_deploy.bench.measure.protocol import begin, measure
from shufflenet_deploy.bench.paper.claims import Paper
from shufflenet_deploy.bench.paper.suites import find_suite
from shufflenet_deploy.bench.results import Parameters, Results, Target, read, write
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.machine.environment import Environment

_PRECISIONS = ("fp32", "fp16", "int8")
_LOWERINGS = ("fast", "plain")


@dataclass(frozen=True)
class Choice:
    """What the user wants measured."""

    named: tuple[Path, ...]
    suite: str | None
    formats: tuple[str, ...]
    """Of the suite; empty takes its own."""
    precisions: tuple[str, ...]
    folder: Path
    """Where the suite's artifacts are."""
    lowerings: tuple[str, ...] = ("fast",)

    def needed_formats(self) -> tuple[str, ...]:
        """Of all files that may be measured: which engines the device needs."""
        formats = [path.suffix.removeprefix(".") for path in self.named]
        if self.suite is not None:
            formats += self.formats or find_suite(self.suite).formats
        return tuple(one for one in FORMATS if one in formats)

    def subjects(self, paper: Paper, tell: Callable[[str], None]) -> list[Subject]:
        """The files that are named, then those of the suite, exported where missing."""
        named = open_subjects(self.named)
        for subject in named:
            if subject.manifest is None:
                tell(
                    f"{subject.path} has no manifest: it is timed, and what it computes not checked"
                )
        if self.suite is None:
            return named
        suite = find_suite(self.suite)
        suite = replace(
            suite,
            formats=_known("--format", self.formats, tuple(FORMATS)) or suite.formats,
            precisions=_known("--precision", self.precisions, _PRECISIONS) or suite.precisions,
        )
        lowerings = _known("--lowering", self.lowerings, _LOWERINGS)
        options = [
            replace(one, lowering=lowering)
            for lowering in lowerings
            for one in suite.options(paper)
        ]
        provided = provide(options, self.folder, tell)
        seen = {subject.sha256 for subject in named}
        return named + [
            subject for subject in map(Subject.of, provided) if subject.sha256 not in seen
        ]


def _known(option: str, given: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    for one in given:
        if one not in known:
            raise BenchError(f"{option} {one!r}: choose from {', '.join(known)}", usage=True)
    return tuple(dict.fromkeys(given))


def start(
    target: Target,
    environment: Environment,
    subjects: Sequence[Subject],
    parameters: Parameters,
    paper: Paper,
    choice: Choice,
    out: Path,
    resume: bool,
) -> Results:
    """New results, or with `resume` those in `out`, which must be of the same measurement.

    Raises `BenchError` where `out` holds other results that are not complete: nothing that was
    measured is lost by forgetting an option.
    """
    begun = begin(target, environment, subjects, parameters, paper, choice.suite, len(choice.named))
    if resume and out.exists():
        return _go_on(load_to_resume(out, read), begun, out)
    if out.exists() and not _may_be_replaced(out):
        raise BenchError(
            f"{out} holds a measurement that was stopped: go on with it by --resume, name another "
            "file with --out, or delete it",
            usage=True,
        )
    return begun


def _may_be_replaced(out: Path) -> bool:
    try:
        return read(out).ended in ("done", "minutes")
    except BenchError:  # not ours, or older: replaced, as --out says
        return True


def _go_on(earlier: Results, begun: Results, out: Path) -> Results:
    """`earlier` with the limits of `begun`, where all else is the same."""
    differing = [
        what
        for what, one, other in (
            ("the artifacts", _files(earlier), _files(begun)),
            ("the blocks", _blocks(earlier), _blocks(begun)),
            ("the device", earlier.target, begun.target),
            ("the machine or its software", earlier.environment, begun.environment),
            ("--threads, --cores or --cool-down", _fixed(earlier), _fixed(begun)),
        )
        if one != other
    ]
    if differing:
        raise BenchError(
            f"{out} is not the same measurement, so --resume cannot go on with it: "
            f"{' and '.join(differing)} differ; name another file with --out",
            usage=True,
        )
    return replace(earlier, parameters=begun.parameters, ended="no")


def _files(results: Results) -> list[str]:
    return [model.sha256 for model in results.models]


def _blocks(results: Results) -> list[str]:
    return [block.id for block in results.blocks]


def _fixed(results: Results) -> Parameters:
    """The parameters without those that only limit how much is measured."""
    usual = Parameters()
    return replace(
        results.parameters,
        processes=usual.processes,
        max_processes=usual.max_processes,
        rounds=usual.rounds,
        interval_percent=usual.interval_percent,
        patience_minutes=usual.patience_minutes,
        hasty_processes=usual.hasty_processes,
        minutes=None,
    )


def carry_out(device: Device, begun: Results, paper: Paper, out: Path, stderr: Console) -> Results:
    """Measure, and write to `out` after each worker; a Ctrl-C ends it with what there is.

    Raises `BenchError` where the device fails; what was measured before is in `out`.
    """
    results = begun
    try:
        with shown(stderr, paper) as view:
            for latest in measure(device, begun, paper, view.report, time.monotonic):
                results = latest
                write(out, results)
                view.update(results)
    except KeyboardInterrupt:
        results = replace(results, ended="interrupted")
        if _has_anything(results):
            write(out, results)  # it may have come during the last writing
    except BenchError as error:
        if not _has_anything(results):
            raise
        raise BenchError(
            f"{error}; what was measured before is in {out}, and --resume goes on with it"
        ) from None
    return results


def _has_anything(results: Results) -> bool:
    return any(model.probe for model in results.models)
