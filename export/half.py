"""What float16 cannot hold: the numbers of a graph that are beyond its largest one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import Affine, Convolution, FullyConnected
from shufflenet_deploy.export.graph.reference import evaluate
from shufflenet_deploy.runtime.errors import ExportError

LARGEST = 65504.0
"""IEEE 754-2019, binary16."""


def require_half(graph: Graph, images: Iterable[NDArray[Any]]) -> None:
    """Raise `ExportError` where a weight is beyond float16, or a value is on one of `images`.

    Each image is (1, C, H, W), as the graph takes it. The first layer beyond is named. Numbers
    too small for float16 are rounded, and what that costs is for the verification to say.
    """
    for node in graph:
        match node.operator:
            case Convolution(weight, bias) | FullyConnected(weight, bias) | Affine(weight, bias):
                for kind, numbers in (("weight", weight), ("bias", bias)):
                    what = f"a {kind} with normalisation folded in"
                    _require(node.name, what, float(_most(numbers)))

    def see(name: str, value: Tensor) -> Tensor:
        _require(name, "an activation", float(value.abs().max()))
        return value

    with torch.inference_mode():
        for image in images:
            evaluate(graph, torch.from_numpy(np.asarray(image, np.float32)), see)


def _most(numbers: NDArray[Any]) -> Any:
    return np.abs(numbers).max()


def _require(name: str, what: str, number: float) -> None:
    if not number <= LARGEST:
        raise ExportError(
            f"fp16 cannot hold {what} of {name}: {number:.3g} is beyond {LARGEST:.0f}; export it "
            "with --precision fp32 or int8, or train it on with more weight decay; nothing was "
            "written"
        )
