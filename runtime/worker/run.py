"""Carry out a `Spec` on this machine: load, check, cool down, warm up, then rounds of bursts.

The canary is timed straight before the first round and straight after the last, since what
happened to the processor in between is what it is asked. Cooling down comes before warming up:
a processor that has slept runs slowly at first, and it is the warm-up that ends this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.profiling.profile import Profile
from shufflenet_deploy.runtime.worker.cool_down import cool_down
from shufflenet_deploy.runtime.worker.instruments import Instruments, timed
from shufflenet_deploy.runtime.worker.loading import Loaded, load
from shufflenet_deploy.runtime.worker.profiler import profile
from shufflenet_deploy.runtime.worker.rounds import rounds
from shufflenet_deploy.runtime.worker.spec import (
    Answer,
    Burst,
    Canary,
    ModelAnswer,
    Progress,
    Skipped,
    Spec,
    StageTimes,
    Stopped,
    Window,
)
from shufflenet_deploy.runtime.worker.sustained import sustain
from shufflenet_deploy.runtime.worker.warm_up import WarmedUp, warm_up

PROBING_RUNS = 3
"""Runs of each model without rounds, from which the host foresees how long others take."""
_BETWEEN_STATES_NS = 10**9
_COLD = WarmedUp(times_ns=(), stable=False)


@dataclass
class _Model:
    """A model and what was measured of it."""

    loaded: Loaded
    warmed_up: WarmedUp = _COLD
    bursts: list[Burst] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    labelled: StageTimes | None = None

    def answer(self) -> ModelAnswer:
        session = self.loaded.session
        return ModelAnswer(
            artifact=str(self.loaded.path),
            sha256=self.loaded.sha256,
            engine=session.engine,
            engine_version=session.engine_version,
            remarks=dict(session.remarks),
            load_ns=self.loaded.load_ns,
            first_run_ns=self.loaded.first_run_ns,
            difference=self.loaded.difference,
            inputs=self.loaded.inputs,
            peak_memory_bytes=self.loaded.peak_memory_bytes,
            warm_up_ns=self.warmed_up.times_ns,
            stable=self.warmed_up.stable,
            bursts=tuple(self.bursts),
            windows=tuple(self.windows),
            labelled=self.labelled,
        )


def carry_out(spec: Spec, cores: tuple[int, ...] | None, instruments: Instruments) -> Answer:
    """Measure what `spec` asks for, in a process that is allowed `cores`.

    A KeyboardInterrupt after the models are loaded ends the block early, with what is there.
    Raises `InferenceError` as `load` does.
    """
    environment, first = instruments.environment(), instruments.state()
    # Before any model: the threads of its engine would take part.
    peak = instruments.peak() if spec.peak else None
    models, skipped = _load(spec, instruments)
    block = _Block(spec, models, instruments, first)
    block.measure()
    return Answer(
        threads=spec.threads,
        cores=cores,
        stopped=block.stopped,
        environment=environment,
        states=tuple(block.states),
        canary=block.canary(),
        peak_multiply_adds_per_second=peak,
        skipped=tuple(skipped),
        models=tuple(model.answer() for model in models),
        profiles=tuple(_profiles(spec, models, instruments)),
    )


def _profiles(spec: Spec, models: list[_Model], instruments: Instruments) -> Iterator[Profile]:
    if not spec.profile_runs:
        return
    for index, model in enumerate(models):
        instruments.report(Progress(stage="profile", done=index, total=len(models)))
        loaded = model.loaded
        yield profile(
            loaded.path,
            spec.threads,
            spec.profile_runs,
            loaded.arrays,
            instruments.clock,
            loaded.engine,
        )


def _load(spec: Spec, instruments: Instruments) -> tuple[list[_Model], list[Skipped]]:
    models, skipped = [], []
    for index, (path, engine) in enumerate(spec.models()):
        instruments.report(Progress(stage="load", done=index, total=len(spec.artifacts)))
        loaded = load(
            Path(path),
            spec.threads,
            instruments.clock,
            lambda: instruments.state().available_memory_bytes,
            engine,
            strict=spec.strict,
            given=spec.inputs,
        )
        if isinstance(loaded, Skipped):
            skipped.append(loaded)
        else:
            models.append(_Model(loaded))
    return models, skipped


class _Block:
    """The measurement of models that are loaded, which may be interrupted at any point."""

    def __init__(
        self, spec: Spec, models: list[_Model], instruments: Instruments, first: State
    ) -> None:
        self._spec = spec
        self._models = models
        self._instruments = instruments
        self._last_state_ns = instruments.clock()
        self._start_ns: tuple[int, ...] = ()
        self._end_ns: tuple[int, ...] = ()
        self.states = [first]
        self.stopped: Stopped = "rounds"

    def measure(self) -> None:
        """Do all that the spec asks for, up to the last state and canary."""
        try:
            self._measure()
            self._finish()
        except KeyboardInterrupt:
            self.stopped = "interrupted"
            self._finish()

    def canary(self) -> Canary | None:
        """The canary's times; None where no rounds were begun or none was asked for."""
        if not self._start_ns:
            return None
        return Canary(start_ns=self._start_ns, end_ns=self._end_ns)

    def _measure(self) -> None:
        if not self._models:
            return
        if self._spec.sustained_seconds:
            self._sustain(self._models[0], self._spec.sustained_seconds)
            return
        if self._spec.image is not None:
            self._label(Path(self._spec.image))
            return
        if not self._spec.rounds:
            self._warm_up()
            return
        if self._spec.cool_down:
            cool_down(self._spec.cool_down, self._instruments)
        self._warm_up()
        if self._spec.canary:
            self._start_ns = self._canary()
        runs = [model.loaded.run for model in self._models]
        spec = self._spec
        if self.states[0].frequencies_mhz:
            spec = replace(spec, full_speed=None)
        for index, burst in rounds(runs, spec, self._instruments, self._between_rounds):
            self._models[index].bursts.append(burst)
        if len(self._models[0].bursts) < self._spec.rounds:
            self.stopped = "seconds"

    def _sustain(self, model: _Model, seconds: float) -> None:
        for window in sustain(model.loaded.run, seconds, self._instruments):
            model.windows.append(window)
        self.stopped = "seconds"

    def _label(self, image: Path) -> None:
        # Only here, where an image was named: a device needs no Pillow otherwise.
        from shufflenet_deploy.runtime.images.stages import repeated

        for index, model in enumerate(self._models):
            self._instruments.report(Progress(stage="label", done=index, total=len(self._models)))
            loaded, runs = model.loaded, self._spec.label_runs
            if loaded.manifest is None:
                raise InferenceError(f"{loaded.path} has no manifest: its preprocessing is unknown")
            artifact = Artifact(loaded.path, loaded.manifest)
            told = repeated(artifact, loaded.session, image, runs, self._instruments.clock)
            model.labelled = StageTimes(label=told[0], stages_ns=told[1])

    def _finish(self) -> None:
        self.states.append(self._instruments.state())
        if self._start_ns:
            self._end_ns = self._canary()

    def _warm_up(self) -> None:
        clock = self._instruments.clock
        for index, model in enumerate(self._models):
            progress = Progress(stage="warm up", done=index, total=len(self._models))
            self._instruments.report(progress)
            run = model.loaded.run
            if self._spec.rounds:
                model.warmed_up = warm_up(run, clock, self._spec.warm_up)
            else:
                times = tuple(timed(run, clock) for _ in range(PROBING_RUNS))
                model.warmed_up = WarmedUp(times, stable=False)

    def _canary(self) -> tuple[int, ...]:
        # A model's spinning threads would be timed along with it.
        if self._spec.rest_seconds:
            self._instruments.sleep(self._spec.rest_seconds)
        return self._instruments.canary()

    def _between_rounds(self) -> None:
        now = self._instruments.clock()
        if now - self._last_state_ns >= _BETWEEN_STATES_NS:
            self._last_state_ns = now
            self.states.append(self._instruments.state())
