"""What the values of a graph are on calibration images: one pass, in chunks, of bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.reference import evaluate

CHUNK_BYTES = 64 * 2**20
"""About how much of one value's numbers is in memory at once."""

SAMPLE = 2048
"""About how many numbers of a value are kept of each image, for percentiles: half a million of 256
images."""

Images = Sequence[NDArray[Any]]
"""Images (1, C, H, W), float32, as the graph's input takes them; made as they are asked for."""

Advance = Callable[[int], None]
"""A function that takes how many further images were done."""


@dataclass(frozen=True, eq=False)
class ValueStatistics:
    """One value over all images and places, channel by channel."""

    minima: NDArray[np.float32]
    """The least number of each channel, (C,)."""
    maxima: NDArray[np.float32]
    """The largest, (C,)."""
    sample: NDArray[np.float32]
    """All channels at places spread evenly over each image's map, (places, C)."""

    def scaled(self, factors: NDArray[np.float64]) -> ValueStatistics:
        """Those of the value times `factors`, (C,), all positive."""
        by = factors.astype(np.float32)
        return ValueStatistics(self.minima * by, self.maxima * by, self.sample * by)


Statistics = dict[str, ValueStatistics]
"""By the value's name."""


def collect(graph: Graph, images: Images, advance: Advance = lambda count: None) -> Statistics:
    """Every value's statistics over `images`, computed in float32.

    Extremes are over all places; neither they nor the sample, as a set, depend on the images'
    order.
    """
    extremes: dict[str, tuple[Tensor, Tensor]] = {}
    samples: dict[str, list[Tensor]] = {}

    def see(name: str, value: Tensor) -> Tensor:
        flat = value.flatten(2) if value.dim() > 2 else value[:, :, None]
        low, high = flat.amin((0, 2)), flat.amax((0, 2))
        if name in extremes:
            before = extremes[name]
            low, high = torch.minimum(low, before[0]), torch.maximum(high, before[1])
        extremes[name] = low, high
        places = spread(flat.shape[2], max(1, SAMPLE // flat.shape[1]), value.shape[-1])
        samples.setdefault(name, []).append(flat[:, :, places].transpose(1, 2).flatten(0, 1))
        return value

    with torch.inference_mode():
        for chunk in chunks(images):
            evaluate(graph, chunk, see)
            advance(len(chunk))
    return {
        name: ValueStatistics(low.numpy(), high.numpy(), torch.cat(samples[name]).numpy())
        for name, (low, high) in extremes.items()
    }


def chunks(images: Images) -> list[Tensor] | Any:
    """The images in tensors (N, C, H, W) of as many as memory has room for."""
    count = max(1, CHUNK_BYTES // (8 * images[0].nbytes))  # a first layer widens them
    for start in range(0, len(images), count):
        several = [images[index] for index in range(start, min(start + count, len(images)))]
        yield torch.from_numpy(np.concatenate(several))


def spread(places: int, wanted: int, width: int) -> Tensor:
    """About `wanted` of so many places of a map, evenly; no step falls in with its width."""
    step = max(1, places // wanted)
    while math.gcd(step, width) > 1:
        step += 1
    return torch.arange(0, places, step)
