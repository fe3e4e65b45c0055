"""What each layer costs alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generated_graphs import Building, classified
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import Concatenate, Convolution, Relu, Shuffle
from shufflenet_deploy.export.graph.reference import Seen, evaluate
from shufflenet_deploy.export.quantisation.analysis import LayerCost, analyse
from shufflenet_deploy.export.quantisation.fitting import round_to_nearest
from shufflenet_deploy.export.quantisation.preparation import Preparation
from shufflenet_deploy.export.quantisation.ranges import Rule, ranges
from shufflenet_deploy.export.quantisation.simulation import keeps_steps, rounding
from shufflenet_deploy.export.quantisation.statistics import collect
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.runtime.decibels import sqnr_db


def _graph(seed: int = 0) -> Graph:
    building = Building((4, 8, 8), np.random.default_rng(seed))
    first = building.convolution(8, activation=Relu())
    building.add(Shuffle(2))
    second = building.convolution(8, kernel=3, groups=8)
    building.add(Concatenate(), first, second)
    building.add(Relu())
    building.convolution(6, groups=2)
    return classified(building.graph())


def _images(count: int, seed: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(1, 4, 8, 8)).astype(np.float32) for _ in range(count)]


def _prepared(graph: Graph, **narrower: tuple[float, float]) -> Preparation:
    limits: Ranges = ranges(graph, collect(graph, _images(16, 1)), Rule(), (-4.0, 4.0))
    return Preparation(
        graph=round_to_nearest(graph),
        exact=graph,
        ranges={**limits, **narrower},
        rule="extremes",
        exponent=0.0,
        rounding="nearest",
    )


def _only(name: str, see: Seen) -> Seen:
    """Rounds one value and no other."""
    return lambda each, value: see(each, value) if each == name else value


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_each_figure_is_that_of_the_whole_network_with_one_change(seed: int) -> None:
    graph = _graph(seed)
    prepared = _prepared(graph)
    images = _images(8, 2)
    costs = {cost.name: cost for cost in analyse(prepared, images)}
    several = torch.from_numpy(np.concatenate(images))
    exact = evaluate(graph, several).numpy()
    see = rounding(graph, prepared.ranges)
    names = [graph.input, *(node.name for node in graph)]
    for name in names:
        node = graph.node(name)
        if node is not None and keeps_steps(node.operator):
            assert name not in costs
            continue
        alone = evaluate(graph, several, _only(name, see))
        assert costs[name].activation_db == pytest.approx(sqnr_db(exact, alone.numpy()), abs=0.1)
        if isinstance(getattr(node, "operator", None), Convolution):
            changed = graph.with_nodes({name: prepared.graph.node(name)})
            coarse = evaluate(changed, several).numpy()
            assert costs[name].weights_db == pytest.approx(sqnr_db(exact, coarse), abs=0.1)


def test_the_costliest_comes_first() -> None:
    costs = analyse(_prepared(_graph()), _images(8, 2))
    assert [cost.cost_db for cost in costs] == sorted(cost.cost_db for cost in costs)


def test_a_narrow_range_is_seen() -> None:
    graph = _graph()
    name = graph.nodes[2].name  # the depthwise one
    low, high = _prepared(graph).ranges[name]
    costs = analyse(_prepared(graph, **{name: (low / 8, high / 8)}), _images(8, 2))
    assert costs[0].name == name
    assert costs[0].kind == "3x3 depthwise"
    assert costs[0].saturated > 0.2
    assert all(cost.saturated < 0.05 for cost in costs[1:])


def test_kinds_are_said_in_words() -> None:
    kinds = {cost.kind for cost in analyse(_prepared(_graph()), _images(2, 2))}
    assert kinds == {
        "input", "1x1", "3x3 depthwise", "concatenation", "relu", "1x1, 2 groups", "mean",
        "fully connected",
    }  # fmt: skip


def test_it_takes_some_images_and_tells_of_each_layer() -> None:
    graph, told = _graph(), 0

    def advance(count: int) -> None:
        nonlocal told
        told += count

    few = analyse(_prepared(graph), _images(16, 2), advance)
    assert told == len(graph.nodes)
    assert analyse(_prepared(graph), _images(40, 2)) == few


def test_the_cost_is_the_lower_of_both() -> None:
    cost = LayerCost("a", "1x1", 30.0, 20.0, 0.0, (0.0, 1.0))
    assert cost.cost_db == 20.0
    assert replace(cost, activation_db=None).cost_db == 30.0
