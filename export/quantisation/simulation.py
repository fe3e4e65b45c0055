"""A graph as 8 bits compute it: its values rounded to the steps of their ranges, in float32."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.reference import Seen, evaluate
from shufflenet_deploy.export.quantisation.ranges import passes_on, stays_float
from shufflenet_deploy.export.quantisation.statistics import Images, chunks
from shufflenet_deploy.models.quantisation import Range, rounded
from shufflenet_deploy.runtime.seeded import Floats


def rounding(graph: Graph, ranges: Mapping[str, Range]) -> Seen:
    """What rounds each of the graph's values, for `evaluate`."""
    kept = {node.name for node in graph if keeps_steps(node.operator)}

    def see(name: str, value: Tensor) -> Tensor:
        return value if name in kept else rounded(value, ranges[name])

    return see


def keeps_steps(operator: object) -> bool:
    """Whether what an operator makes is not rounded once more."""
    return passes_on(operator) or stays_float(operator)  # type: ignore[arg-type]


def simulate(graph: Graph, images: Images, see: Seen | None = None) -> Floats:
    """The graph's output (N, classes) on `images`, as `see` has its values; as they are without."""
    with torch.inference_mode():
        parts = [evaluate(graph, chunk, see).numpy() for chunk in chunks(images)]
    logits: NDArray[np.float32] = np.concatenate(parts)
    return logits
