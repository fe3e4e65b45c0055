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
    """From 1."""
    learning_rate: float
    """Of its last step."""
    training_loss: float
    """With the label smoothing."""
    held_out_loss: float
    """Without."""
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
