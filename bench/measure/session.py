"""A whole measurement: subjects chosen, begun or gone on with, written after each worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs
from rich.console import Console

from shufflenet_deploy.bench.devices import Device
from shufflenet_deploy.bench.documents import RESULTS, UnwritableError, load_to_resume, require_ours
from shufflenet_deploy.bench.measure.artifacts import Subject, open_subjects, provide
from shufflenet_deploy.bench.measure.engines import engines_by_format
from shufflenet_deploy.bench.measure.progress import shown
from shufflenet_deploy.bench.measure.protocol import begin, measure
from shufflenet_deploy.bench.paper.claims import Paper
from shufflenet_deploy.bench.paper.suites import find_suite
from shufflenet_deploy.bench.results import Parameters, Results, Target, read, write
from shufflenet_deploy.runtime.engines import ENGINES
from shufflenet_deploy.runtime.engines.given import GivenInput
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.machine.environment import Environment

_PRECISIONS = ("fp32", "fp16", "int8")
_LOWERINGS = ("fast", "plain")


@dataclass(frozen=True)
class Choice:
    """What the user asks to be measured."""

    named: tuple[Path, ...]
    suite: str | None
    formats: tuple[str, ...]
    """Formats of the suite's artifacts; empty takes the suite's own, and where it names none,
    all."""
    precisions: tuple[str, ...]
    folder: Path
    """The folder that holds the suite's artifacts, and to which missing ones are exported."""
    lowerings: tuple[str, ...] = ("fast",)
    engines: tuple[str, ...] = ()
    """Names of the engines that measure each file that they run; empty takes the first of its
    format."""

    def needed_engines(self) -> tuple[str, ...]:
        """Of all files that may be measured: which the device needs.

        Raises `BenchError` for formats and engines that are unknown or do not fit each other.
        """
        needed = {name for engines in self._engines().values() for name in engines}
        return tuple(name for name in ENGINES if name in needed)

    def _engines(self) -> dict[str, tuple[str, ...]]:
        """Format -> the engines that measure its files."""
        return engines_by_format(self.named, self._suite_formats(), self.engines)

    def _suite_formats(self) -> tuple[str, ...]:
        if self.suite is None:
            return ()
        formats = _known("--format", self.formats, tuple(FORMATS))
        return formats or find_suite(self.suite).formats or tuple(FORMATS)

    def subjects(self, paper: Paper, tell: Callable[[str], None]) -> list[Subject]:
        """The files that are named, then those of the suite, exported where missing.

        Each by every engine that measures it.
        """
        engines = self._engines()
        opened = open_subjects(self.named)
        for subject in opened:
            if subject.manifest is None:
                tell(
                    f"{subject.path} has no manifest: it is timed, and what it computes not checked"
                )
        named = [
            replace(subject, engine=name) for subject in opened for name in engines[subject.format]
        ]
        if self.suite is None:
            return named
        suite = find_suite(self.suite)
        suite = structs.replace(
            suite,
            formats=tuple(name for name in self._suite_formats() if name in engines),
            precisions=_known("--precision", self.precisions, _PRECISIONS) or suite.precisions,
        )
        lowerings = _known("--lowering", self.lowerings, _LOWERINGS)
        options = [
            structs.replace(made_of, lowering=lowering)
            for lowering in lowerings
            for made_of in suite.options(paper)
        ]
        provided = provide(options, self.folder, tell)
        seen = {subject.sha256 for subject in named}
        return named + [
            Subject.of(artifact, name)
            for artifact in provided
            if artifact.manifest.sha256 not in seen
            for name in engines[artifact.manifest.options.format]
        ]


def _known(option: str, given: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    for name in given:
        if name not in known:
            raise BenchError(f"{option} {name!r}: choose from {', '.join(known)}", usage=True)
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
    named = sum(subject.path in choice.named for subject in subjects)
    begun = begin(target, environment, subjects, parameters, paper, choice.suite, named)
    if resume and out.exists():
        return _go_on(load_to_resume(out, read), begun, out)
    require_ours(out, RESULTS)
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
    except BenchError:
        return True  # of an older version, see `_require_ours`


def _go_on(earlier: Results, begun: Results, out: Path) -> Results:
    """`earlier` with the limits of `begun`, where all else is the same."""
    files = _files(earlier)
    same_files = files == _files(begun)
    differing = [
        name
        for name, before, now in (
            ("the artifacts", files, _files(begun)),
            # Of other artifacts there is no sense in comparing the engines.
            ("the engines", _engines(earlier), _engines(begun if same_files else earlier)),
            ("the blocks", _blocks(earlier), _blocks(begun)),
            ("the device", earlier.target, begun.target),
            ("the machine or its software", earlier.environment, begun.environment),
            ("--threads, --cores or --cool-down", _fixed(earlier), _fixed(begun)),
            ("--shape, --range or --input", _given(earlier), _given(begun)),
        )
        if before != now
    ]
    if differing:
        raise BenchError(
            f"{out} is not the same measurement, so --resume cannot go on with it: "
            f"{' and '.join(differing)} differ; name another file with --out",
            usage=True,
        )
    return structs.replace(earlier, parameters=begun.parameters, ended="no")


def _files(results: Results) -> list[str]:
    return [model.sha256 for model in results.models]


def _engines(results: Results) -> list[str]:
    return [model.engine for model in results.models]


def _blocks(results: Results) -> list[str]:
    return [block.id for block in results.blocks]


def _fixed(results: Results) -> Parameters:
    """The parameters without those that only limit how much is measured."""
    usual = Parameters()
    return structs.replace(
        results.parameters,
        processes=usual.processes,
        max_processes=usual.max_processes,
        rounds=usual.rounds,
        interval_percent=usual.interval_percent,
        patience_minutes=usual.patience_minutes,
        hasty_processes=usual.hasty_processes,
        minutes=None,
        inputs=(),
    )


def _given(results: Results) -> tuple[GivenInput, ...]:
    return results.parameters.inputs


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
        results = structs.replace(results, ended="interrupted")
        if _has_anything(results):
            write(out, results)  # it may have come during the last writing
        else:
            _forget(results, begun, out)
    except UnwritableError:
        raise  # it says where that is
    except BenchError as error:
        # Of models alone, a command that says what was missing has no use.
        if not _has_anything(results) or (error.usage and not results.runs):
            _forget(results, begun, out)
            raise
        raise BenchError(
            f"{error}; what was measured before is in {out}, and --resume goes on with it"
        ) from None
    return results


def _forget(results: Results, begun: Results, out: Path) -> None:
    """Remove what was written in vain, which would stand in the way of the next measurement."""
    if results is not begun and not _has_anything(begun):
        out.unlink(missing_ok=True)


def _has_anything(results: Results) -> bool:
    return any(model.probe for model in results.models)
