"""One run of shufflenet-train, from its request to its files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from shufflenet_deploy.models.training.data import open_data
from shufflenet_deploy.models.training.events import Epoch, Step
from shufflenet_deploy.models.training.files import Files, Saved, best, read_last
from shufflenet_deploy.models.training.loop import Place, Training
from shufflenet_deploy.models.training.progress import shown, tensorboard
from shufflenet_deploy.models.training.recipe import (
    Recipe,
    Request,
    TrainingError,
    recipe,
    resumed,
)
from shufflenet_deploy.models.training.world import World, choose_device, default_workers

_NAMED = 5
"""How many unreadable images are named at most: there may be thousands."""


@dataclass(frozen=True)
class Trained:
    """What a run came to."""

    files: Files
    recipe: Recipe
    labels: tuple[str, ...]
    best: Epoch
    last: Epoch
    counted: str
    """The images that top-1 is counted on: ``held-out`` or ``training``."""
    unreadable: frozenset[str]


def train(request: Request, say: Callable[[str], None]) -> Trained:
    """Train, or go on training, and write the files after each epoch.

    `say` takes lines that are no errors. Raises `TrainingError`, also where it is interrupted,
    and `InferenceError` for data that is not there.
    """
    world = World.of(os.environ)
    device = choose_device(request.device, world)
    files, chosen, saved = _begin(request)
    files.require_writable()
    data = open_data(chosen.data)
    if data.same:
        say(f"{chosen.data} has no train and val folders: top-1 is that of training images")
    amp, workers = request.mixed_precision, request.workers
    if amp is None:
        amp = device.type == "cuda"
    if workers is None:
        workers = 0 if data.in_memory else default_workers(world)
    training = Training(chosen, data, Place(device, amp, workers, world))
    if saved is not None:
        saved.require_classes(data.labels, chosen.data)
        training.restore(saved.weights, saved.state)
        say(f"going on after epoch {saved.epochs} of {chosen.epochs}")
    _run(training, files, request, say)
    return Trained(
        files,
        chosen,
        data.labels,
        best(training.history),
        training.history[-1],
        "training" if data.same else "held-out",
        frozenset(training.unreadable),
    )


def _begin(request: Request) -> tuple[Files, Recipe, Saved | None]:
    if request.resume is None:
        files = Files(request.out or Path("checkpoint.pth"))
        files.require_nothing_to_resume()
        return files, recipe(**request.options), None
    saved = read_last(request.resume)
    files = Files.of_last(request.resume)
    if saved.epochs >= saved.recipe.epochs:
        raise TrainingError(
            f"{request.resume} has all of its {saved.epochs} epochs: {files.best} is the trained "
            "network",
            usage=True,
        )
    return files, resumed(saved.recipe, request.options), saved


def _run(training: Training, files: Files, request: Request, say: Callable[[str], None]) -> None:
    place, epochs = training.place, training.recipe.epochs
    first = place.world.rank == 0
    written = len(training.history)
    told: set[str] = set()

    def finished() -> None:
        nonlocal written
        if not first:
            return
        files.write(training)
        written = len(training.history)
        if training.unreadable != told:
            told.update(training.unreadable)
            say(_left_out(told))

    with ExitStack() as stack:
        stack.enter_context(place.world.joined(place.device))
        listeners = []
        if first:
            log = request.log
            listeners.append(stack.enter_context(tensorboard(log, len(training.history))))
            listeners.append(stack.enter_context(shown(Console(stderr=True), epochs)))

        def report(event: Step | Epoch) -> None:
            for listener in listeners:
                listener(event)

        try:
            training.run(report, finished)
        except KeyboardInterrupt:
            if not first:
                raise
            raise TrainingError(_interrupted(written, epochs, files)) from None
        except torch.OutOfMemoryError:
            raise TrainingError(
                f"out of memory on {place.device}: lower --batch-size or --input-size"
            ) from None


def _interrupted(written: int, epochs: int, files: Files) -> str:
    if not written:
        return "interrupted before the first epoch was done: nothing was written"
    return (
        f"interrupted after epoch {written} of {epochs}: go on with "
        f"shufflenet-train --resume {shlex.quote(str(files.last))}"
    )


def _left_out(names: set[str]) -> str:
    shown = sorted(names)[:_NAMED]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"images that cannot be read, left out: {len(names)}: {', '.join(shown)}{more}"
