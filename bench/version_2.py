"""Results of version 2, as they were until an engine could be chosen, made into those of 3."""

from __future__ import annotations

from typing import Any

from shufflenet_deploy.runtime.engines import ENGINES
from shufflenet_deploy.runtime.formats import FORMATS

_PARTITIONS = "delegate_partitions"


def from_version_2(document: dict[str, Any]) -> dict[str, Any]:
    """The JSON object of results of version 3 that says what `document`, of version 2, does.

    A model gets the engine's name, which only its probe told; a probe gets the engine's remarks,
    of which version 2 knew one, a field of its own. What is not of this form stays as it is, for
    whoever reads version 3 to complain of.
    """
    models = document.get("models")
    if not isinstance(models, list):
        return {**document, "version": 3}
    return {**document, "version": 3, "models": [_model(model) for model in models]}


def _model(model: Any) -> Any:
    if not isinstance(model, dict):
        return model
    probe = model.get("probe")
    told = probe.get("engine") if isinstance(probe, dict) else None
    return {**model, "engine": _engine(told, model.get("format")), "probe": _probe(probe)}


def _engine(told: object, format_: object) -> object:
    """The engine's name by what its session called itself, or without a probe the format's."""
    for engine in ENGINES.values():
        if told == engine.name or told in engine.distributions:
            return engine.name
    row = FORMATS.get(format_) if isinstance(format_, str) else None
    return row.engines[0] if row and told is None else told


def _probe(probe: Any) -> Any:
    if not isinstance(probe, dict):
        return probe
    rest = {name: value for name, value in probe.items() if name != _PARTITIONS}
    partitions = probe.get(_PARTITIONS)
    return {**rest, "remarks": {} if partitions is None else {_PARTITIONS: partitions}}
