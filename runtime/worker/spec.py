"""What a worker is asked (`Spec`) and what it answers (`Answer`), both as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from shufflenet_deploy.runtime import MAX_THREADS
from shufflenet_deploy.runtime.engines.given import GivenInput, UsedInput
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.profiling.profile import Profile

ANSWER_VERSION = 4

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_NotNegative = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
"""A number of seconds up to eleven days: of much larger ones no clock makes nanoseconds, and no
system sleeps."""
Nanoseconds = Annotated[int, msgspec.Meta(ge=1, le=10**15)]
"""A time that something took: up to eleven days."""
Stopped = Literal["rounds", "seconds", "interrupted"]


class WarmUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model is run until its time no longer falls, see `warm_up`."""

    minimum: _NotNegative = msgspec.field(default=12, name="least")
    """The fewest runs; there are fewer only where `seconds` are over after two."""
    maximum: _NotNegative = msgspec.field(default=60, name="most")
    seconds: _Seconds = 1.0
    """How long to warm up one model; a slow one has warmed up the caches and the clock with its
    first run."""


class CoolDown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to wait for before the rounds: the temperature, or without a sensor the canary."""

    temperature_c: float | None
    """The highest temperature, in degrees Celsius, that the hottest zone may have; None leaves it
    to the canary."""
    canary_ns: int | None
    """The longest median of the canary's repetitions, in ns; None does not wait for it."""
    seconds: _Seconds = 180.0
    """How long to wait at most."""


class FullSpeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to wait for before each burst, on a system that does not tell its frequency."""

    pulse_ns: _Positive | None
    """The time of a pulse at full speed in earlier processes, in ns; None where there were none."""
    tolerance: Annotated[float, msgspec.Meta(gt=1)] = 1.15
    """How many times as long as at full speed a pulse may take before its core counts as slow."""
    seconds: _Seconds = 2.0
    """How long to wait at most, in all bursts of a process together."""


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One process of a block: models that take turns in rounds, a burst at each turn."""

    artifacts: tuple[str, ...] = ()
    """The models' paths on the device; without any the answer tells of the device alone."""
    engines: tuple[str | None, ...] = ()
    """The name of each artifact's engine, in their order; None takes the first that runs its
    format, and so does leaving all of them out."""
    rounds: _NotNegative = 20
    """The most rounds; 0 loads and checks each model, runs it a few times, and no more."""
    min_rounds: _NotNegative = msgspec.field(default=2, name="least_rounds")
    seconds: _Seconds | None = None
    """How long the rounds may take: none begins that would end later than this after the first
    began, but for `min_rounds`; None sets no limit."""
    inputs: tuple[GivenInput, ...] = ()
    """What the user says of inputs of models without a manifest; each model takes what is for its
    own. Their files are paths on the device."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=MAX_THREADS)] = 1
    cores: tuple[_NotNegative, ...] = ()
    """The cores to which the worker is pinned; none leaves it to the system."""
    warm_up: WarmUp = WarmUp()
    untimed: _NotNegative = 5
    """Runs at the start of a burst that bring the model's weights back into the caches after
    another model had them: a larger one evicts everything."""
    timed: _Positive = 3
    rest_seconds: _Seconds = 0.0
    """How long to rest before each burst, until the spinning threads of the model before have gone
    to sleep."""
    cool_down: CoolDown | None = None
    full_speed: FullSpeed | None = None
    canary: bool = True
    """Whether to time the canary before and after the rounds, and in pieces beside timed runs."""
    peak: bool = False
    """Whether to measure the peak rate of the processor too."""
    sustained_seconds: _Seconds | None = None
    """How long to run the first model without pause, instead of rounds; None does not."""
    image: str | None = None
    """The path on the device of an image that each model labels, `label_runs` times."""
    label_runs: _NotNegative = 0
    profile_runs: _NotNegative = 0
    """Runs of each model under its engine's profiler, after all else; 0 profiles none."""
    strict: bool = True
    """Whether to refuse a model whose self-check is beyond its tolerance: a time of it would mean
    nothing. Else the difference is answered, and who asks has to judge it."""
    seed: int = 0
    """The seed of the order of the models in each round."""

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
    """The burst's place in the round's shuffled order, from 0."""
    cold_ns: Nanoseconds | None
    """The time of the first untimed run in ns, straight after another model; None without one."""
    samples_ns: Annotated[tuple[Nanoseconds, ...], msgspec.Meta(min_length=1)]
    """The times of the timed runs in ns, in their order."""
    pulses_ns: tuple[Nanoseconds, ...] = ()
    """The times in ns of a piece of the canary straight before and after the timed runs: how fast
    the core was. Empty without the canary."""


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of a sustained load, at whose end the machine's state was read."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e6)]
    """When its first run began, in seconds since the load began."""
    runs: Annotated[int, msgspec.Meta(ge=1, le=10**9)]
    median_ns: Nanoseconds
    p90_ns: Nanoseconds
    minimum_ns: Nanoseconds
    maximum_ns: Nanoseconds
    state: State


class StageTimes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long it took from an image file to a label."""

    label: str
    """What the model takes the image for."""
    stages_ns: dict[str, tuple[Nanoseconds, ...]]
    """Name of a stage, in their order -> the time of each run in ns, see `stages.STAGES`."""


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured of one model."""

    artifact: str
    sha256: str
    engine: str
    engine_version: str
    remarks: dict[str, int | float | str]
    """What this engine alone says of the model."""
    load_ns: _NotNegative
    """The time in ns from the file to a session ready to run; the engine was imported before."""
    first_run_ns: _NotNegative
    difference: float | None
    """The difference of the self-check, see `SelfCheck`; within the tolerance where the spec is
    strict. None for a file without a manifest, which is checked for numbers that are finite, and
    for a difference that is no number."""
    inputs: tuple[UsedInput, ...] = ()
    """What each input got; none for a file with a manifest, which says it."""
    peak_memory_bytes: int | None
    """The peak memory of the process when this model had been loaded and run: only for the first
    model is that its own figure."""
    warm_up_ns: tuple[Nanoseconds, ...]
    """The time of every run of the warm-up in ns, in their order."""
    stable: bool
    """Whether the warm-up ended because the time had stopped falling."""
    bursts: tuple[Burst, ...]
    windows: tuple[Window, ...] = ()
    """Of a sustained load."""
    labelled: StageTimes | None = None
    """Where the spec names an image."""


class Skipped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that was not loaded, since it would not fit the memory."""

    artifact: str
    needed_bytes: _NotNegative
    available_bytes: _NotNegative


class Canary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times of a fixed kernel: where they grow, the processor has become slower."""

    start_ns: tuple[Nanoseconds, ...]
    end_ns: tuple[Nanoseconds, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worker's answer."""

    version: int = ANSWER_VERSION
    threads: int
    cores: tuple[int, ...] | None
    """The cores on which the worker was allowed to run; None where the system does not say."""
    stopped: Stopped
    """Why there was no further round; what was measured until then is in the answer."""
    environment: Environment
    states: tuple[State, ...]
    """The machine before the rounds, about once a second between them, and after them."""
    canary: Canary | None
    peak_multiply_adds_per_second: float | None
    skipped: tuple[Skipped, ...]
    models: tuple[ModelAnswer, ...]
    """The models that were measured, in the spec's order, without those skipped."""
    profiles: tuple[Profile, ...] = ()
    """A profile of each of `models`, where the spec asks for them; else empty."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line on the worker's stderr while it works."""

    stage: str
    """What the worker does: ``load``, ``cool down``, ``warm up``, ``round``, ``sustained load``,
    ``label`` or ``profile``."""
    done: int
    total: int
