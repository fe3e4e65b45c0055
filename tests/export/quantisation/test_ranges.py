"""Ranges hold 0, cover what their rule says, and are shared where kernels want it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from generated_graphs import Building, classified, graphs
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import Concatenate, Convolution, Gather, MaxPool, Relu
from shufflenet_deploy.export.quantisation.ranges import Rule, carried, passes_on, ranges
from shufflenet_deploy.export.quantisation.statistics import Statistics, collect


def _statistics(graph: Graph) -> Statistics:
    random = np.random.default_rng(0)
    images = random.normal(size=(6, 1, *graph.input_shape)).astype(np.float32)
    return collect(graph, list(images))


@settings(max_examples=40)
@given(graph=graphs(), rule=st.sampled_from([Rule(), Rule(99.0), Rule(99.99)]))
def test_every_value_has_one_with_0_in_it(graph: Graph, rule: Rule) -> None:
    found = ranges(graph, _statistics(graph), rule, (-9.0, 9.0))
    assert found.keys() == {graph.input, *(node.name for node in graph)}
    assert found[graph.input] == (-9.0, 9.0)
    for low, high in found.values():
        assert low <= 0 <= high
        assert low < high


@settings(max_examples=40)
@given(graph=graphs())
def test_percentiles_lie_inside_the_extremes(graph: Graph) -> None:
    found = _statistics(graph)
    wide = ranges(graph, found, Rule(), (-9.0, 9.0))
    narrow = ranges(graph, found, Rule(99.0), (-9.0, 9.0))
    for name, (low, high) in narrow.items():
        if np.ptp(found[name].sample) > 0:
            assert wide[name][0] <= low <= high <= wide[name][1]


@settings(max_examples=40)
@given(graph=graphs())
def test_what_is_passed_on_keeps_its_steps(graph: Graph) -> None:
    found = ranges(graph, _statistics(graph), Rule(), (-9.0, 9.0))
    for node in graph:
        joined = graph.sole_reader(node.name)
        if passes_on(node.operator) and not (joined and isinstance(joined.operator, Concatenate)):
            assert found[node.name] == found[node.inputs[0]]


def test_an_outlier_is_beyond_a_percentile_and_not_beyond_the_output() -> None:
    building = Building((2, 40, 40), np.random.default_rng(0))
    building.add(Relu())
    middle = building.add(Relu())
    graph = classified(building.graph())
    images = [np.full((1, 2, 40, 40), 1.0, np.float32) for _ in range(8)]
    images[3][0, 0, 0, 0] = 1000.0
    found = _statistics_of(graph, images)
    assert ranges(graph, found, Rule(99.9), (0.0, 1.0))[middle][1] < 2
    assert ranges(graph, found, Rule(), (0.0, 1.0))[middle][1] == 1000
    assert ranges(graph, found, Rule(50.0), (0.0, 1.0))[graph.output] == (
        min(0.0, float(found[graph.output].minima.min())),
        max(0.0, float(found[graph.output].maxima.max())),
    )


def test_what_is_joined_has_the_range_of_the_whole() -> None:
    building = Building((2, 6, 6), np.random.default_rng(0))
    small = building.convolution(3, activation=Relu())
    wide = Convolution(np.full((3, 3, 1, 1), 9.0), np.zeros(3), activation=Relu())
    large = building.add(MaxPool((1, 1), (1, 1)), building.add(wide))
    joined = building.add(Concatenate(), small, large)
    graph = classified(building.graph())
    found = ranges(graph, _statistics(graph), Rule(), (-9.0, 9.0))
    assert found[large] == found[joined]
    assert found[small] != found[joined]  # another layer reads it too


def test_a_value_that_is_always_0_has_a_range_that_is_none_of_its_own() -> None:
    building = Building((2, 4, 4), np.random.default_rng(0))
    dead = building.add(Gather((0, 0)))
    building.add(Relu())
    graph = classified(building.graph())
    images = [np.zeros((1, 2, 4, 4), np.float32)]
    found = ranges(graph, _statistics_of(graph, images), Rule(99.0), (-1.0, 1.0))
    assert found[dead] == (-1.0, 1.0)
    assert found[graph.nodes[1].name] == (0.0, 1.0)


def _statistics_of(graph: Graph, images: list[NDArray[np.float32]]) -> Statistics:
    return collect(graph, images)


def test_inserted_values_get_what_stands_on_the_nearer_side() -> None:
    known = {"images": (0.0, 1.0), "conv": (0.0, 2.0), "shuffled": (0.0, 2.0)}
    links = [
        ("images", "conv_padded"),
        ("conv_linear", "conv"),
        ("conv", "split"),
        ("split", "turned"),
        ("turned", "shuffled"),
        ("nothing", "known"),
    ]
    assert carried(known, links) == {
        **known,
        "conv_padded": (0.0, 1.0),
        "conv_linear": (0.0, 2.0),
        "split": (0.0, 2.0),
        "turned": (0.0, 2.0),
    }
