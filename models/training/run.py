"""One run of shufflenet-train, from its request to its files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.models.training.data import Data, calibration_batches, open_data
from shufflenet_deploy.models.training.events import Epoch, Step
from shufflenet_deploy.models.training.files import Files, Saved, best, read_last
from shufflenet_deploy.models.training.loop import Place, Training
from shufflenet_deploy.models.training.progress import shown, tensorboard
from shufflenet_deploy.models.training.qat import measured_ranges
from shufflenet_deploy.models.training.recipe import (
    Recipe,
    Request,
    TrainingError,
    preprocessing,
    recipe,
    resumed,
)
from shufflenet_deploy.models.training.start import (
    open_weights,
    random_network,
    set_classifier,
    tuning_recipe,
)
from shufflenet_deploy.models.training.world import World, choose_device, default_workers
from shufflenet_deploy.models.weights.checkpoint import Checkpoint, load
from shufflenet_deploy.runtime.preprocess import normalise

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
    begun = _begin(request)
    files, chosen, saved = begun.files, begun.recipe, begun.saved
    files.require_writable()
    data = open_data(chosen.data)
    for line in data.remarks:
        say(f"{chosen.data}: {line}")
    if data.same:
        say(f"{chosen.data} has no train and val folders: top-1 is that of training images")
    amp, workers = request.mixed_precision, request.workers
    if amp is None:
        amp = device.type == "cuda" and not chosen.qat
    if amp and chosen.qat:
        raise TrainingError("--amp rounds what --qat rounds already: leave one out", usage=True)
    if workers is None:
        workers = 0 if data.in_memory else default_workers(world)
    network = _network(begun, data, say)
    ranges = _ranges(begun, network, data, say) if chosen.qat else None
    training = Training(network, chosen, data, Place(device, amp, workers, world), ranges)
    if saved is not None:
        training.restore(saved.state)
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


@dataclass(frozen=True)
class _Begun:
    """What a request comes to before there is any data."""

    files: Files
    recipe: Recipe
    loaded: Checkpoint | None = None
    """The file that has the network: that of ``--weights`` or ``--resume``; None for a random
    one."""
    saved: Saved | None = None
    """The run to go on with; None for a new one."""


def _begin(request: Request) -> _Begun:
    if request.resume is not None:
        return _begin_again(request, request.resume)
    files = Files(request.out or Path("checkpoint.pth"))
    files.require_nothing_to_resume()
    files.require_ours()
    if request.weights is None:
        return _Begun(files, recipe(**request.options))
    loaded = open_weights(request.weights, request.options, request.weights_key)
    files.require_other_than(loaded.path)
    return _Begun(files, tuning_recipe(loaded, request.options), loaded)


def _begin_again(request: Request, last: Path) -> _Begun:
    saved = read_last(last)
    files = Files.of_last(last)
    if saved.epochs >= saved.recipe.epochs:
        raise TrainingError(
            f"{last} has all of its {saved.epochs} epochs: {files.best} is the trained network",
            usage=True,
        )
    return _Begun(files, resumed(saved.recipe, request.options), load(last), saved)


def _network(begun: _Begun, data: Data, say: Callable[[str], None]) -> ShuffleNetV1:
    if begun.loaded is None:
        return random_network(begun.recipe, len(data.labels))
    network = begun.loaded.network
    if begun.saved is not None:
        begun.saved.require_classes(data.labels, begun.recipe.data)
        network.load_state_dict(begun.saved.weights)
        return network
    if begun.loaded.ranges and not begun.recipe.qat:
        raise TrainingError(
            f"{begun.loaded.path} was trained with 8 bits, its batch normalisation folded: go on "
            "with --qat, or from the network before that",
            usage=True,
        )
    for line in begun.loaded.remarks:
        say(f"{begun.loaded.path.name}: {line}")
    is_kept, line = set_classifier(begun.loaded, data.labels, begun.recipe.seed)
    if begun.recipe.qat and not is_kept:
        raise TrainingError(
            f"{line}: train that first without --qat, and go on from what it writes", usage=True
        )
    say(line)
    return network


def _ranges(begun: _Begun, network: ShuffleNetV1, data: Data, say: Callable[[str], None]) -> Ranges:
    """Those of the run to go on with, or measured."""
    assert begun.loaded is not None
    if begun.saved is not None:
        assert begun.loaded.ranges is not None
        return begun.loaded.ranges
    batches = calibration_batches(data, begun.recipe)
    say("measuring the ranges of activations")
    ends = np.array([[[[0] * 3, [255] * 3]]], np.uint8)
    pixels = torch.from_numpy(normalise(ends, preprocessing(begun.recipe)))
    return measured_ranges(network, batches, pixels)


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
