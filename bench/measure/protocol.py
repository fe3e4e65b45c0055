"""The order of a measurement: the device, each model alone, then the blocks in turns.

Alone, in a worker of its own, because only so the time to load and the peak of memory are the
model's. Then blocks (`plan`), each in several worker processes: where a process's memory lies, and
what the machine does in these seconds, moves its times by more than rounds within it can show, so
only the spread between processes is an honest interval. The processes of all blocks take turns, so
that each block sees the whole of the measurement and not one mood of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median

from msgspec.structs import replace

from shufflenet_deploy.bench.analysis.selection import full_speed
from shufflenet_deploy.bench.devices import Counter, Device
from shufflenet_deploy.bench.measure.artifacts import Subject
from shufflenet_deploy.bench.measure.demand import is_open, next_rounds, present
from shufflenet_deploy.bench.measure.inputs import placed, require_used
from shufflenet_deploy.bench.measure.plan import plan
from shufflenet_deploy.bench.measure.records import checked, no_room, probe, same_file, timed
from shufflenet_deploy.bench.measure.schedule import Forecast
from shufflenet_deploy.bench.paper.claims import Paper
from shufflenet_deploy.bench.results import Block, Model, Parameters, Results, Run, Target, Timed
from shufflenet_deploy.runtime.engines.given import GivenInput
from shufflenet_deploy.runtime.files import named, shown
from shufflenet_deploy.runtime.machine.clocks import ClockSeconds
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import hottest_c
from shufflenet_deploy.runtime.worker.spec import Answer, CoolDown, Progress, Spec

_REST_SECONDS = 0.01
"""Seconds of rest before each burst of a worker with several threads: longer than the threads of
any engine here spin for their next task."""
_WARMER_C, _SLOWER = 2.0, 1.02
"""How close a cool-down must come to the first process: degrees Celsius above its temperature, and
times its canary."""


@dataclass(frozen=True)
class Step:
    """One worker's share of the measurement."""

    title: str
    seconds_left: float | None
    """Seconds that the whole measurement will still take, as far as it can be foreseen; None before
    anything was run."""


Report = Callable[[Step, Progress], None]


def begin(
    target: Target,
    environment: Environment,
    subjects: Sequence[Subject],
    parameters: Parameters,
    paper: Paper,
    suite: str | None,
    named: int,
) -> Results:
    """Results without samples yet: when, where, how, and which models in which blocks.

    The first `named` of `subjects` were named by the user, see `plan`.
    """
    models = tuple(_model(subject) for subject in subjects)
    return Results(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=target,
        environment=environment,
        parameters=parameters,
        suite=suite,
        models=models,
        blocks=tuple(plan(models, paper, parameters.threads, named)),
    )


def _model(subject: Subject) -> Model:
    manifest = subject.manifest
    return Model(
        name=subject.path.name,
        path=shown(str(subject.path)),
        sha256=subject.sha256,
        format=subject.format,
        engine=subject.engine,
        options=manifest.options if manifest else None,
        multiply_adds=manifest.multiply_adds if manifest else None,
        size_bytes=subject.size_bytes,
    )


def measure(
    device: Device, begun: Results, paper: Paper, report: Report, clock: ClockSeconds
) -> Iterator[Results]:
    """Measure what `begun` lacks, and yield all that there is after each worker.

    The last that is yielded tells by `ended` whether all is done. Raises KeyboardInterrupt and
    `BenchError` as `Device.run` does.
    """
    yield from _Measurement(device, begun, paper, report, clock).steps()


class _Measurement:
    """What has been measured so far, and how to go on."""

    def __init__(
        self, device: Device, begun: Results, paper: Paper, report: Report, clock: ClockSeconds
    ) -> None:
        self._device = device
        # A process that was cut short is measured anew: its few rounds would count as much as
        # all those of another, and a measurement that was resumed would be another one.
        whole = tuple(run for run in begun.runs if not _cut_short(run))
        self._results = replace(begun, ended="no", runs=whole)
        self._paper = paper
        self._report = report
        self._clock = clock
        self._start = clock()
        self._places: dict[str, str] = {}
        self._forecast = Forecast(self._results)

    def steps(self) -> Iterator[Results]:
        for part in (self._peaks(), self._probes(), self._turns()):
            for _ in part:
                yield self._results
                if self._results.ended != "no":
                    return
        self._results = replace(self._results, ended="done")
        yield self._results

    def _peaks(self) -> Iterator[None]:
        if not self._results.target.latency:
            return  # an emulated processor's is that of another machine
        for threads in self._results.parameters.threads:
            if threads in self._results.peak_multiply_adds_per_second:
                continue
            spec = Spec(threads=threads, cores=self._results.parameters.cores, peak=True)
            peak = self._run("the processor's peak", spec).peak_multiply_adds_per_second
            if peak is not None:
                peaks = {**self._results.peak_multiply_adds_per_second, threads: peak}
                self._results = replace(self._results, peak_multiply_adds_per_second=peaks)
            yield

    def _probes(self) -> Iterator[None]:
        for index, model in enumerate(self._results.models):
            if model.probe or model.skipped:
                continue
            spec = Spec(
                threads=min(self._results.parameters.threads),
                cores=self._results.parameters.cores,
                artifacts=(self._place(model),),
                engines=(model.engine,),
                inputs=self._inputs(),
                rounds=0,
            )
            began = self._clock()
            answer = self._run(f"alone: {model.called}", spec)
            if answer.models:
                (measured,) = answer.models
                same_file(model, measured)
                self._forecast.saw_alone(index, measured, self._clock() - began)
                alone = probe(measured, self._results.target.latency)
                if isinstance(self._device, Counter):
                    self._report(
                        Step(f"counting: {model.called}", None),
                        Progress(stage="count", done=0, total=1),
                    )
                    counted = self._device.count(self._place(model), model.engine, spec.inputs)
                    alone = replace(alone, counted=counted)
                self._replace_model(index, replace(model, probe=alone))
            elif answer.skipped:
                self._replace_model(index, replace(model, skipped=no_room(answer)))
            yield
        probed = [model.probe.inputs for model in self._results.models if model.probe]
        if len(probed) == len(self._results.models):
            require_used(self._results.parameters.inputs, probed)

    def _turns(self) -> Iterator[None]:
        while open_blocks := self._open_blocks():
            for block in open_blocks:
                if not self._is_open(block):  # patience ended within this turn
                    continue
                if self._forecast.is_over(self._clock() - self._start, block):
                    self._results = replace(self._results, ended="minutes")
                    yield
                    return
                self._process(block)
                yield

    def _open_blocks(self) -> list[Block]:
        return [block for block in self._results.blocks if self._is_open(block)]

    def _is_open(self, block: Block) -> bool:
        patient = self._elapsed() < 60 * self._results.parameters.patience_minutes
        return is_open(self._results, block, self._paper, patient)

    def _elapsed(self) -> float:
        """Seconds that all of the measurement has taken, before it was resumed as well."""
        return self._clock() - self._start + self._forecast.before

    def _process(self, block: Block) -> None:
        parameters = self._results.parameters
        number = sum(run.block == block.id for run in self._results.runs)
        members = present(self._results, block)
        spec = Spec(
            threads=block.threads,
            cores=parameters.cores,
            artifacts=tuple(self._place(self._results.models[member]) for member in members),
            engines=tuple(self._results.models[member].engine for member in members),
            inputs=self._inputs(),
            rounds=next_rounds(self._results, block),
            seconds=parameters.seconds_per_process,
            untimed=parameters.untimed,
            timed=parameters.timed,
            rest_seconds=_REST_SECONDS if block.threads > 1 else 0.0,
            cool_down=self._cool_down(),
            full_speed=full_speed(self._results),
            seed=parameters.seed + number,
        )
        if not self._results.target.latency:
            spec = replace(spec, rounds=0, canary=False, full_speed=None)
        began = self._clock()
        answer = self._run(f"{block.id}, process {number + 1}", spec)
        self._forecast.saw_process(block, self._clock() - began)
        if answer.skipped:
            self._skip(block, no_room(answer))
            return
        for member, measured in zip(members, answer.models, strict=True):
            same_file(self._results.models[member], measured)
        start = began - self._start + self._forecast.before
        run = (
            timed(block, number, start, members, answer)
            if self._results.target.latency
            else checked(block, number, members, answer)
        )
        self._results = replace(self._results, runs=(*self._results.runs, run))

    def _cool_down(self) -> CoolDown | None:
        """Back to where the first process began, or nearly; None where that is not wanted."""
        first = next((run for run in self._results.runs if isinstance(run, Timed)), None)
        if first is None or not self._results.parameters.cool_down:
            return None
        temperature = hottest_c(first.states[0])
        canary = first.canary
        return CoolDown(
            temperature_c=None if temperature is None else temperature + _WARMER_C,
            canary_ns=None if canary is None else int(median(canary.start_ns) * _SLOWER),
        )

    def _run(self, title: str, spec: Spec) -> Answer:
        still_open = self._open_blocks()
        step = Step(title, self._forecast.seconds_left(self._results, still_open, self._elapsed()))
        answer = self._device.run(spec, partial(self._report, step))
        if answer.stopped == "interrupted":
            self._results = replace(self._results, ended="interrupted")
        return answer

    def _place(self, model: Model) -> str:
        return self._place_file(model.path)

    def _place_file(self, path: str) -> str:
        if path not in self._places:
            self._places[path] = self._device.put(named(path))
        return self._places[path]

    def _inputs(self) -> tuple[GivenInput, ...]:
        return placed(self._results.parameters.inputs, self._place_file)

    def _replace_model(self, index: int, model: Model) -> None:
        models = list(self._results.models)
        models[index] = model
        self._results = replace(self._results, models=tuple(models))

    def _skip(self, block: Block, reason: str) -> None:
        blocks = tuple(
            replace(known, skipped=reason) if known.id == block.id else known
            for known in self._results.blocks
        )
        self._results = replace(self._results, blocks=blocks)


def _cut_short(run: Run) -> bool:
    return isinstance(run, Timed) and run.stopped == "interrupted"
