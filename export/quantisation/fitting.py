"""Layer after layer, weights in 8 bits that give on rounded inputs what float gives on exact ones.

Two streams of the calibration images go through the graph side by side: one as the float network
has them, one as 8 bits have had them so far. Each layer is fitted to turn the second's input into
the first's output, by least squares before it is rounded and by `rounding.least_error` in that. So
it takes back what the layers before it lost, means included (bias correction as Nagel et al., 2019,
section 4.2, have it, is the part of it that concerns the bias).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from shufflenet_deploy.export.graph.graph import Graph, Node, shapes
from shufflenet_deploy.export.graph.operators import Convolution, FullyConnected
from shufflenet_deploy.export.graph.reference import Values, compute
from shufflenet_deploy.export.quantisation.rounding import damp, least_error
from shufflenet_deploy.export.quantisation.simulation import rounding
from shufflenet_deploy.export.quantisation.statistics import Advance, Images, spread
from shufflenet_deploy.models.quantisation import Ranges, nearest

Layer = Convolution | FullyConnected

STREAM_BYTES = 384 * 2**20
"""About the most memory that the images' values take in both streams."""

MOST_IMAGES = 128
"""Beyond so many the rounding gains nothing, and takes its time (measured)."""

PLACES_PER_INPUT = 32
"""About how many places of all maps a layer is fitted on, for each input that an output has."""

FEWEST_PLACES = 8192
"""Never fewer than so many, where the maps have them."""

MOST_NUMBERS = 2**25
"""Never more places than have so many inputs: 128 MB."""

PULL = 3.0
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
        rough = replace(layer, weight=placed.reshape(layer.weight.shape).numpy(), activation=None)
        error = compute(rough, [coarse]) - compute(replace(layer, activation=None), [exact])
        means = error.mean(dim=[axis for axis in range(error.dim()) if axis != 1])
        return replace(rough, bias=layer.bias - means.double().numpy(), activation=layer.activation)
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
    inputs, right = _places(layer, coarse), _places(layer, exact)
    moments = _product(inputs, inputs, 1.0)
    # As a layer is linear, the error of its outputs is what it makes of the inputs' error.
    both = torch.cat([weights, bias[..., None]], dim=-1).double()
    return moments, both @ _product(right - inputs, inputs, 0.0)


def _product(first: Tensor, second: Tensor, ending: float) -> Tensor:
    """The mean of the products of (G, places, K) with (G, places, K), in float64.

    After the first's inputs there is an `ending` and after the second's a 1: (G, K + 1, K + 1).
    """
    count = first.shape[1]
    made = torch.empty(len(first), first.shape[2] + 1, second.shape[2] + 1, dtype=torch.float64)
    made[:, :-1, :-1] = first.transpose(1, 2) @ second / count
    made[:, :-1, -1] = first.mean(dim=1)
    made[:, -1, :-1] = ending * second.mean(dim=1)
    made[:, -1, -1] = ending
    return made


def _places(layer: Layer, values: Tensor) -> Tensor:
    """What the layer reads at some places, (G, places, K)."""
    if isinstance(layer, FullyConnected):
        return values[None]
    inputs = layer.weight.shape[1] * math.prod(layer.kernel)
    (height, width), (down, across) = layer.window, layer.stride
    vertical, horizontal = layer.padding
    if layer.padding != (0, 0):
        values = functional.pad(values, (horizontal, horizontal, vertical, vertical))
    # Views: nothing is copied.
    windows = values.unfold(2, height, down).unfold(3, width, across)
    windows = windows[..., :: layer.dilation[0], :: layer.dilation[1]]
    rows, columns = windows.shape[2:4]
    most = min(
        max(FEWEST_PLACES, PLACES_PER_INPUT * inputs), MOST_NUMBERS // (layer.groups * inputs)
    )
    places = spread(rows * columns, max(1, most // len(values)), columns)
    chosen = windows[:, :, places // columns, places % columns]
    apart = chosen.permute(1, 3, 4, 0, 2).reshape(layer.groups, inputs, -1)
    return apart.transpose(1, 2)
