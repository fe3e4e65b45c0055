"""Training as the ShuffleNet paper has it (section 4): see `recipe` for its numbers.

`Training.run` reads from top to bottom. On a CPU, with the same recipe and as many threads and
processes, the weights are the same to the bit, whether the run was resumed or not; a GPU adds in
another order each time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from shufflenet_deploy.models.networks.activations import rounded_activations
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.models.training.data import (
    UNREADABLE_IN_A_ROW,
    Data,
    Share,
    held_out_batches,
    training_batches,
)
from shufflenet_deploy.models.training.events import Epoch, Report, Step
from shufflenet_deploy.models.training.qat import round_weights
from shufflenet_deploy.models.training.recipe import Recipe, TrainingError, learning_rate
from shufflenet_deploy.models.training.world import World

MOMENTUM = 0.9
"""The momentum of SGD: a choice, as the paper does not say it, and everybody uses this."""

LARGEST_GRADIENT = 1.0
"""The norm to which all gradients together are cut where BN is folded: a choice."""

_STEPS_PER_REPORT = 20


@dataclass(frozen=True)
class Place:
    """Where this process trains. Nothing here changes what is trained, beyond rounding."""

    device: torch.device
    mixed_precision: bool
    """Whether to use half precision: float16 with scaled gradients on CUDA, bfloat16 on a CPU."""
    workers: int
    """How many processes read images; 0 reads them in this one."""
    world: World


class Training:
    """A network on its way, from the weights that it has or from where another run ended.

    `ranges` are those of the activations where the recipe has them rounded, and the network's BN is
    folded then. Raises `TrainingError` where the data does not suffice for the recipe.
    """

    def __init__(
        self,
        network: ShuffleNetV1,
        recipe: Recipe,
        data: Data,
        place: Place,
        ranges: Ranges | None = None,
    ) -> None:
        _check(recipe, data, place.world)
        self.recipe = recipe
        self.data = data
        self.place = place
        self.history: list[Epoch] = []
        self.unreadable: set[str] = set()
        """Names of the images that no process could read, so far."""
        # What takes no gradient is neither in the optimizer nor on the way back.
        network.features.requires_grad_(not recipe.freeze)
        self.ranges = ranges
        if recipe.qat:
            round_weights(network)
        self.network = network.to(place.device)
        self._optimizer = torch.optim.SGD(
            parameter_groups(network, recipe.weight_decay), recipe.learning_rate, MOMENTUM
        )
        # Gradients of float16 underflow unscaled; those of bfloat16 have float32's range.
        scaled = place.mixed_precision and place.device.type == "cuda"
        self._scaler = torch.amp.GradScaler(place.device.type, enabled=scaled)

    def state(self) -> dict[str, Any]:
        """All but the weights that going on exactly takes; random numbers come from the recipe."""
        return {
            "recipe": asdict(self.recipe),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the `state()` of another run, whose weights the network has."""
        self._optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        self.history = [Epoch(**row) for row in state["history"]]

    def run(self, report: Report, finished: Callable[[], None]) -> None:
        """Train the epochs that are left; `finished` is called after each, to write it down."""
        with rounded_activations(self.network, self.ranges) if self.ranges else nullcontext():
            self._run(report, finished)

    def _run(self, report: Report, finished: Callable[[], None]) -> None:
        place, world = self.place, self.place.world
        share = Share(world.rank, world.size, place.workers, pin=place.device.type == "cuda")
        batches, order = training_batches(self.data, self.recipe, share)
        held_out = held_out_batches(self.data, self.recipe, share)
        parallel = world.parallel(self.network, place.device)
        for epoch in range(len(self.history), self.recipe.epochs):
            started = time.perf_counter()
            order.epoch = epoch
            training_loss = self._train(parallel, batches, epoch, report)
            trained = time.perf_counter()
            world.share_buffers(self.network)
            loss, correct, count = self._recognise(held_out)
            self.unreadable = world.union(self.unreadable)
            if not count:
                raise TrainingError(f"no held-out image can be read, such as {self._example()}")
            self._require_finite(loss, epoch, len(order))
            row = Epoch(
                epoch=epoch + 1,
                learning_rate=self._optimizer.param_groups[0]["lr"],
                training_loss=training_loss,
                held_out_loss=loss,
                correct=correct,
                held_out=count,
                images_per_s=len(order) * self.recipe.batch_size / (trained - started),
                time_s=time.perf_counter() - started,
            )
            self.history.append(row)
            report(row)
            finished()

    def _train(self, parallel: nn.Module, batches: Any, epoch: int, report: Report) -> float:
        steps = len(batches)
        total = torch.zeros((), dtype=torch.float64, device=self.place.device)
        parallel.train()
        # BN's statistics stay too: in training they are the batch's, and the running ones follow.
        self.network.features.train(not (self.recipe.freeze or self.recipe.qat))
        for step, batch in enumerate(batches):
            self.unreadable.update(batch.unreadable)
            if len(batch.labels) < self.recipe.batch_size // self.place.world.size:
                raise TrainingError(
                    f"{UNREADABLE_IN_A_ROW} images in a row cannot be read, such as "
                    f"{self._example()}"
                )
            rate = learning_rate(
                self.recipe.learning_rate, epoch * steps + step, self.recipe.epochs * steps
            )
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            logits, labels = self._logits(parallel, batch)
            loss = functional.cross_entropy(
                logits, labels, label_smoothing=self.recipe.label_smoothing
            )
            self._optimizer.zero_grad()
            self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            if self.recipe.qat:
                # Without batch normalisation to hold them, a few large steps ruin trained weights.
                nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
            self._scaler.step(self._optimizer)
            self._scaler.update()
            total += loss.detach()
            # Reading a number from a GPU waits for it, hence not at each step.
            if (step + 1) % _STEPS_PER_REPORT == 0 or step + 1 == steps:
                mean = total.item() / (step + 1)
                self._require_finite(mean, epoch, step + 1)
                report(Step(epoch + 1, self.recipe.epochs, step + 1, steps, mean))
        return self.place.world.total(total.reshape(1))[0] / steps / self.place.world.size

    @torch.no_grad()
    def _recognise(self, batches: Any) -> tuple[float, int, int]:
        """Loss, images recognised and images, of the held-out ones in all processes.

        Each process counts its own share of them, so none is counted twice.
        """
        sums = torch.zeros(3, dtype=torch.float64, device=self.place.device)
        self.network.eval()
        for batch in batches:
            self.unreadable.update(batch.unreadable)
            if not len(batch.labels):
                continue
            logits, labels = self._logits(self.network, batch)
            sums[0] += functional.cross_entropy(logits, labels, reduction="sum")
            sums[1] += (logits.argmax(1) == labels).sum()
            sums[2] += len(labels)
        loss, correct, count = self.place.world.total(sums)
        return loss / max(count, 1.0), int(correct), int(count)

    def _logits(self, network: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
        device = self.place.device
        dtype = torch.float16 if device.type == "cuda" else torch.bfloat16
        images = batch.images.to(device, non_blocking=True)
        with torch.autocast(device.type, dtype, enabled=self.place.mixed_precision):
            logits = network(images)
        return logits.float(), batch.labels.to(device, non_blocking=True)

    def _require_finite(self, loss: float, epoch: int, step: int) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} in epoch {epoch + 1}, step {step}: start again with a lower "
                f"--learning-rate (it was {self.recipe.learning_rate:g})"
            )

    def _example(self) -> str:
        return min(self.unreadable, default="any")


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights of convolutions and fully connected layers, which decay, and all the rest.

    BN's scale and shift and the biases do not: there decay only fights what BN is for. What is
    frozen is in neither.
    """
    layers = (module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear))
    decayed = [layer.weight for layer in layers if layer.weight.requires_grad]
    known = {id(parameter) for parameter in decayed}
    rest = [
        parameter
        for parameter in network.parameters()
        if parameter.requires_grad and id(parameter) not in known
    ]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]


def _check(recipe: Recipe, data: Data, world: World) -> None:
    if len(data.labels) < 2:
        raise TrainingError(
            f"{recipe.data} has one class only, {data.labels[0]!r}: it needs a folder for each "
            "class",
            usage=True,
        )
    if recipe.batch_size > len(data.training):
        raise TrainingError(
            f"batch size {recipe.batch_size} is larger than the data set of "
            f"{len(data.training)} images: lower --batch-size",
            usage=True,
        )
    if recipe.batch_size % world.size or recipe.batch_size < 2 * world.size:
        raise TrainingError(
            f"batch size {recipe.batch_size} over {world.size} processes: it needs to be a "
            "multiple of them and at least 2 images each",
            usage=True,
        )
