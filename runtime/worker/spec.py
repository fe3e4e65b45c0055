"""What a worker is asked (`Spec`) and what it answers (`Answer`), both as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from shufflenet_deploy.runtime import MAX_THREADS
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.profiling.profile import Profile

ANSWER_VERSION = 3

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_NotNegative = Annotated[int, msgspec.Meta(ge=0)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
"""Up to eleven days: of much larger numbers no clock makes nanoseconds, and no system sleeps."""
Stopped = Literal["rounds", "seconds", "interrupted"]


class WarmUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model is run until its time no longer falls, see `warm_up`."""

    minimum: _NotNegative = msgspec.field(default=12, name="least")
    """Runs; fewer only where `seconds` are over after two."""
    maximum: _NotNegative = msgspec.field(default=60, name="most")
    seconds: _Seconds = 1.0
    """For one model. A slow one has warmed up the caches and the clock with its first run."""


class CoolDown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to wait for before the rounds: the temperature, or without a sensor the canary."""

    temperature_c: float | None
    """Of the hottest zone, at most."""
    canary_ns: int | None
    """Median of the canary's repetitions, at most."""
    seconds: _Seconds = 180.0
    """And then no longer."""


class FullSpeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to wait for before each burst, on a system that does not tell its frequency."""

    pulse_ns: _Positive | None
    """How long a pulse took at full speed in processes before; None where there were none."""
    tolerance: Annotated[float, msgspec.Meta(gt=1)] = 1.15
    """Over that, a core is slowed down."""
    seconds: _Seconds = 2.0
    """In all bursts of a process together, and then no longer."""


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One process of a block: models that take turns in rounds, a burst at each turn."""

    artifacts: tuple[str, ...] = ()
    """Paths on the device. Without any the answer tells of the device alone."""
    engines: tuple[str | None, ...] = ()
    """The name of each one's engine, in their order; None takes the first that runs its format, and
    so does leaving all of them out."""
    rounds: _NotNegative = 20
    """At most. 0 loads and checks each model, runs it a few times, and measures nothing else."""
    min_rounds: _NotNegative = msgspec.field(default=2, name="least_rounds")
    seconds: _Seconds | None = None
    """No round begins that would end later than this after the first, but for `min_rounds`."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=MAX_THREADS)] = 1
    cores: tuple[_NotNegative, ...] = ()
    """To which the worker is pinned; none leaves it to the system."""
    warm_up: WarmUp = WarmUp()
    untimed: _NotNegative = 5
    """Runs at the start of a burst that bring the model's weights back into the caches after
    another model had them: a larger one evicts everything."""
    timed: _Positive = 3
    rest_seconds: _Seconds = 0.0
    """Before each burst, until the spinning threads of the model before have gone to sleep."""
    cool_down: CoolDown | None = None
    full_speed: FullSpeed | None = None
    canary: bool = True
    """Time it before and after the rounds, and pieces of it beside the timed runs."""
    peak: bool = False
    """Measure the peak rate of the processor too."""
    profile_runs: _NotNegative = 0
    """Of each model under its engine's profiler, after all else."""
    strict: bool = True
    """Refuse a model whose self-check is beyond its tolerance: a time of it would mean nothing.
    Else the difference is answered, and who asks has to judge it."""
    seed: int = 0
    """Of the order of the models in each round."""

    def __post_init__(self) -> None:
        """Raise ValueError where it is not told of each artifact by which engine."""
        if self.engines and len(self.engines) != len(self.artifacts):
            raise ValueError(
                f"{len(self.engines)} engines for {len(self.artifacts)} artifacts: name one for "
                "each, or none at all"
            )

    def models(self) -> tuple[tuple[str, str | None], ...]:
        """The artifacts, each with the name of its engine."""
        engines = self.engines or (None,) * len(self.artifacts)
        return tuple(zip(self.artifacts, engines, strict=True))


class Burst(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model's turn in one round."""

    round: int
    position: int
    """Its place in the round's shuffled order, from 0."""
    cold_ns: int | None
    """The first untimed run, straight after another model; None where there is none."""
    samples_ns: tuple[int, ...]
    """The timed runs in their order."""
    pulses_ns: tuple[int, ...] = ()
    """Straight before and after the timed runs, a piece of the canary: how fast the core was."""


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured of one model."""

    artifact: str
    sha256: str
    engine: str
    engine_version: str
    remarks: dict[str, int | float | str]
    """What this engine alone says of the model."""
    load_ns: int
    """From the file to a session that is ready to run; the engine was imported before."""
    first_run_ns: int
    difference: float | None
    """Of the self-check, see `SelfCheck`; within the tolerance where the spec is strict. None for a
    file without a manifest, which is checked for numbers that are finite, and for a difference
    that is no number."""
    peak_memory_bytes: int | None
    """Of the process when this model had been loaded and run: only for the first model is that
    its own figure."""
    warm_up_ns: tuple[int, ...]
    """Every run of the warm-up in its order."""
    stable: bool
    """Whether the warm-up ended because the time had stopped falling."""
    bursts: tuple[Burst, ...]


class Skipped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that was not loaded, since it would not fit the memory."""

    artifact: str
    needed_bytes: int
    available_bytes: int


class Canary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times of a fixed kernel: where they grow, the processor has become slower."""

    start_ns: tuple[int, ...]
    end_ns: tuple[int, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worker's answer."""

    version: int = ANSWER_VERSION
    threads: int
    cores: tuple[int, ...] | None
    """On which it was allowed to run; None where the system does not say."""
    stopped: Stopped
    """Why there was no further round. What was measured until then is here."""
    environment: Environment
    states: tuple[State, ...]
    """Before, between rounds about once a second, and after."""
    canary: Canary | None
    peak_multiply_adds_per_second: float | None
    skipped: tuple[Skipped, ...]
    models: tuple[ModelAnswer, ...]
    """In the spec's order, without those skipped."""
    profiles: tuple[Profile, ...] = ()
    """Of `models`, where the spec asks for them."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line on the worker's stderr while it works."""

    stage: str
    """``load``, ``cool down``, ``warm up``, ``round`` or ``profile``."""
    done: int
    total: int
