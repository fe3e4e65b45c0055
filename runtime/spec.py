"""What a worker is asked (`Spec`) and what it answers (`Answer`), both as JSON."""

from __future__ import annotations

from typing import Annotated

import msgspec

from shufflenet_deploy.runtime import MAX_THREADS

ANSWER_VERSION = 1

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One block of measurement: models that take turns in rounds, a burst at each turn."""

    artifacts: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    """Paths on the device."""
    rounds: _NotNegative = 20
    """0 loads and checks each model, runs it once, and measures nothing else."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=MAX_THREADS)] = 1
    warm_up: _NotNegative = 20
    """Runs of each model before the first round."""
    untimed: _NotNegative = 5
    """Runs at the start of a burst that bring the model's weights back into the caches after
    another model had them: a larger one evicts everything."""
    timed: _Positive = 3
    seed: int = 0
    """Of the order of the models in each round."""


class Burst(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model's turn in one round."""

    round: int
    position: int
    """Its place in the round's shuffled order, from 0."""
    cold_ns: int | None
    """The first untimed run, straight after another model; None where there is none."""
    samples_ns: tuple[int, ...]
    """The timed runs in their order."""


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured of one model."""

    artifact: str
    sha256: str
    engine: str
    engine_version: str
    delegate_partitions: int | None
    load_ns: int
    """From the file to a session that is ready to run; the engine was imported before."""
    first_run_ns: int
    difference: float
    """Of the self-check, see `SelfCheck`; it is within the tolerance, or there is no answer."""
    peak_memory_bytes: int | None
    """Of the process when this model had been loaded and run: only for the first model is that
    its own figure."""
    bursts: tuple[Burst, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worker's answer."""

    version: int = ANSWER_VERSION
    threads: int
    interrupted: bool
    """The block was stopped before its last round; what was measured until then is here."""
    models: tuple[ModelAnswer, ...]
    """In the spec's order."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line on the worker's stderr while it works."""

    stage: str
    """``load``, ``warm up`` or ``round``."""
    done: int
    total: int
