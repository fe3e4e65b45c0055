"""From a worker's answer to what the results keep of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shufflenet_deploy.bench.results import (
    Block,
    Checked,
    CheckedModel,
    FirstUse,
    Model,
    Probe,
    Timed,
    TimedModel,
)
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.worker.spec import Answer, ModelAnswer


def probe(answer: ModelAnswer, latency: bool) -> Probe:
    """What one model cost alone; without times where they are no latency."""
    first_use = FirstUse(load_ms=answer.load_ns / 1e6, first_run_ms=answer.first_run_ns / 1e6)
    return Probe(
        engine=answer.engine,
        engine_version=answer.engine_version,
        inputs=answer.inputs,
        remarks=answer.remarks,
        difference=answer.difference,
        peak_memory_bytes=answer.peak_memory_bytes,
        first_use=first_use if latency else None,
    )


def timed(
    block: Block, process: int, start: float, members: Sequence[int], answer: Answer
) -> Timed:
    """One process's samples of `members`, in the order of the answer's models."""
    return Timed(
        block=block.id,
        process=process,
        start_seconds=start,
        stopped=answer.stopped,
        states=answer.states,
        canary=answer.canary,
        models=tuple(
            TimedModel(
                member=member,
                warm_up_ns=model.warm_up_ns,
                stable=model.stable,
                bursts=model.bursts,
            )
            for member, model in zip(members, answer.models, strict=True)
        ),
    )


def checked(block: Block, process: int, members: Sequence[int], answer: Answer) -> Checked:
    """That `members` ran and computed what they should, on a device without a latency."""
    return Checked(
        block=block.id,
        process=process,
        models=tuple(
            CheckedModel(member=member, difference=model.difference)
            for member, model in zip(members, answer.models, strict=True)
        ),
    )


def same_file(model: Model, answer: ModelAnswer) -> None:
    """Refuse times of another file than the one that was read here."""
    same_bytes(model.path, model.sha256, answer)


def same_bytes(path: Path | str, sha256: str, answer: ModelAnswer) -> None:
    """The same of the file at `path` whose hash was `sha256`."""
    if answer.sha256 != sha256:
        raise BenchError(f"{path} was replaced while it was measured: start again")


def no_room(answer: Answer) -> str:
    """Why models were skipped."""
    return "; ".join(
        f"{model.artifact.rpartition('/')[2]} needs about {model.needed_bytes / 1e6:.0f} MB of "
        f"memory where {model.available_bytes / 1e6:.0f} MB are available"
        for model in answer.skipped
    )
