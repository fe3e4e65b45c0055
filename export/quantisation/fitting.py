"""Layer after layer, weights in 8 bits that give on rounded inputs what float gives on exact ones.

Two streams of the calibration images go through the graph side by side: one as the float network
has them, one as 8 bits have had them so far. Each layer is fitted to turn the second's input into
the first's output, by least squares before it is rounded and by `rounding.least_error` in that. So
it takes back what the layers before it lost, means included (bias correction as Nagel et al., 2019,
section 4.2, have it, is the part of it that concerns the bias).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from shufflenet_deploy.export.graph.graph import Graph, Node, shapes
from shufflenet_deploy.export.graph.operators import Convolution, FullyConnected
from shufflenet_deploy.export.graph.reference import Values, compute
from shufflenet_deploy.export.quantisation.ranges import Ranges
from shufflenet_deploy.export.quantisation.rounding import damp, least_error, nearest
from shufflenet_deploy.export.quantisation.simulation import rounding
from shufflenet_deploy.export.quantisation.statistics import Advance, Images, spread

Layer = Convolution | FullyConnected

STREAM_BYTES = 512 * 2**20
"""About the most memory that the images' values take in both streams."""

MOST_IMAGES = 128
"""Beyond so many the rounding gains nothing, and takes its time (measured)."""

PLACES = 40_000
"""About how many places of all maps a layer is fitted on."""

PULL = 0.05
"""How strongly the float weights are held on to, by the mean of the inputs' squares: places are
few beside weights where maps are small."""

MOST_INPUTS = 2048
"""Layers with more inputs to an output are rounded to the nearest step: the others' inverses would
take minutes. Only the bias is fitted then."""


def fit(
    graph: Graph, images: Images, ranges: Ranges, advance: Advance = lambda count: None
) -> Graph:
    """The graph with its weights on the grid of 8 bits, and with biases that go with them.

    `ranges` are those of its values. `advance` is told of each node. Raises nothing: a layer whose
    inputs do not vary keeps the nearest weights.
    """
    count = min(len(images), MOST_IMAGES, max(1, STREAM_BYTES // _bytes_each(graph)))
    exact, coarse = Values(graph), Values(graph)
    see = rounding(graph, ranges)
    changed: dict[str, Node | None] = {}
    with torch.inference_mode():
        several = [images[index] for index in range(count)]
        exact[graph.input] = torch.from_numpy(np.concatenate(several))
        coarse[graph.input] = see(graph.input, exact[graph.input])
        for node in graph:
            inputs, rounded = exact.read(node.inputs), coarse.read(node.inputs)
            operator = node.operator
            if isinstance(operator, Layer):
                operator = _fitted(operator, inputs[0], rounded[0])
                changed[node.name] = replace(node, operator=operator)
            exact[node.name] = compute(node.operator, inputs)
            coarse[node.name] = see(node.name, compute(operator, rounded))
            advance(1)
    return graph.with_nodes(changed)


def round_to_nearest(graph: Graph) -> Graph:
    """The graph with its weights on the nearest step of 8 bits, which is what quantisers do."""
    changed: dict[str, Node | None] = {}
    for node in graph:
        if isinstance(layer := node.operator, Layer):
            rows = torch.from_numpy(layer.weight).double().flatten(1)
            weight = nearest(rows).reshape(layer.weight.shape).numpy()
            changed[node.name] = replace(node, operator=replace(layer, weight=weight))
    return graph.with_nodes(changed)


def _bytes_each(graph: Graph) -> int:
    """What one image's values take at most in both streams, in float32."""
    sizes = {name: 4 * math.prod(shape) for name, shape in shapes(graph).items()}
    last = {name: index for index, node in enumerate(graph) for name in node.inputs}
    alive, most = sizes[graph.input], 0
    for index, node in enumerate(graph):
        alive += sizes[node.name]
        most = max(most, alive)
        alive -= sum(sizes[name] for name in set(node.inputs) if last[name] == index)
    return 2 * most


def _fitted(layer: Layer, exact: Tensor, coarse: Tensor) -> Layer:
    """`layer` on its grid, such that on `coarse` (N, ...) it gives what it now gives on `exact`."""
    groups = layer.groups if isinstance(layer, Convolution) else 1
    weights = torch.from_numpy(layer.weight).float().reshape(groups, len(layer.bias) // groups, -1)
    bias = torch.from_numpy(layer.bias).float().reshape(groups, -1)
    if weights.shape[-1] > MOST_INPUTS:
        placed = nearest(weights.double())
        rough = replace(layer, weight=placed.reshape(layer.weight.shape).numpy(), relu=False)
        error = compute(rough, [coarse]) - compute(replace(layer, relu=False), [exact])
        means = error.mean(dim=[axis for axis in range(error.dim()) if axis != 1])
        return replace(rough, bias=layer.bias - means.double().numpy(), relu=layer.relu)
    moments, pull = _moments(layer, weights, bias, exact, coarse)
    factor = torch.linalg.cholesky(damp(moments, PULL))
    change = torch.cholesky_solve(pull.transpose(1, 2), factor).transpose(1, 2)
    weights, bias = weights + change[..., :-1], bias + change[..., -1]
    placed, fitted = least_error(weights, bias, moments)
    return replace(
        layer,
        weight=placed.reshape(layer.weight.shape).numpy(),
        bias=fitted.reshape(-1).numpy(),
    )


def _moments(
    layer: Layer, weights: Tensor, bias: Tensor, exact: Tensor, coarse: Tensor
) -> tuple[Tensor, Tensor]:
    """Means over places: products of coarse inputs (G, K + 1, K + 1), and theirs with the error.

    A 1 is put after the inputs. The error (G, O, K + 1) is what the float weights make on them.
    """
    moments = torch.zeros(len(weights), weights.shape[-1] + 1, weights.shape[-1] + 1).double()
    pull = torch.zeros(*weights.shape[:2], weights.shape[-1] + 1).double()
    count = 0
    both = torch.cat([weights, bias[..., None]], dim=-1)
    for inputs, right in zip(_places(layer, coarse), _places(layer, exact), strict=True):
        # As `both` is linear, the error of the outputs is the outputs of the error.
        error = (right - inputs) @ both.transpose(1, 2)
        moments += (inputs.transpose(1, 2) @ inputs).double()
        pull += (error.transpose(1, 2) @ inputs).double()
        count += inputs.shape[1]
    return moments / count, pull / count


def _places(layer: Layer, values: Tensor) -> Iterator[Tensor]:
    """What the layer reads at some places (G, places, K + 1), a 1 put after it, in chunks."""
    if isinstance(layer, FullyConnected):
        yield _with_one(values[None])
        return
    groups = layer.groups
    inputs = layer.weight.shape[1] * math.prod(layer.kernel)
    size = max(1, len(values) * 2**24 // max(values.numel() * math.prod(layer.kernel), 1))
    wanted = max(1, PLACES // len(values))
    for part in torch.split(values, size):
        windows = functional.unfold(part, layer.kernel, 1, layer.padding, layer.stride)
        width = layer.shape(tuple(part.shape[1:]))[2]
        windows = windows[:, :, spread(windows.shape[2], wanted, width)]
        apart = windows.reshape(len(part), groups, inputs, -1).permute(1, 0, 3, 2)
        yield _with_one(apart.flatten(1, 2))


def _with_one(inputs: Tensor) -> Tensor:
    return functional.pad(inputs, (0, 1), value=1.0)
