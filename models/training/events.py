"""What a training reports as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """How far the current epoch is."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    """The mean over the epoch's steps so far, of this process."""


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to, over all processes. A row of the CSV."""

    epoch: int
    """The number of the epoch, from 1."""
    learning_rate: float
    """The learning rate of the epoch's last step."""
    training_loss: float
    """The mean loss over the epoch's steps, with the label smoothing."""
    held_out_loss: float
    """The mean loss of the held-out images, without label smoothing."""
    correct: int
    held_out: int
    """Held-out images that could be read."""
    images_per_s: float
    time_s: float

    @property
    def top1(self) -> float:
        """The share of the held-out images that were recognised."""
        return self.correct / self.held_out


Report = Callable[[Step | Epoch], None]
