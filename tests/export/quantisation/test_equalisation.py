"""Equalisation is exact, whatever the graph, and fills the ranges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated_graphs import Building, classified, graphs, units
from rewriting import assert_equal
from shufflenet_deploy.export.graph.graph import Graph, shapes
from shufflenet_deploy.export.graph.operators import Add, Concatenate, Convolution, Gather, Relu
from shufflenet_deploy.export.quantisation.equalisation import MOST, equalise, factors_for
from shufflenet_deploy.export.quantisation.statistics import Statistics, ValueStatistics, collect

EXPONENTS = st.sampled_from([0.0, 0.3, 0.5, 1.0])


def _any_statistics(graph: Graph, seed: int) -> Statistics:
    """Extremes that need not be those of any image: equalisation is exact all the same."""
    random = np.random.default_rng(seed)
    found = {}
    for name, (channels, *_) in shapes(graph).items():
        size = 10 ** random.uniform(-4, 4, channels) * (random.random(channels) > 0.2)
        high = size.astype(np.float32)
        found[name] = ValueStatistics(-high, high, high[None])
    return found


@given(graph=graphs(), seed=st.integers(0, 99), exponent=EXPONENTS)
def test_any_graph_stays_what_it_is(graph: Graph, seed: int, exponent: float) -> None:
    factors = factors_for(graph, _any_statistics(graph, seed), exponent)
    assert_equal(graph, equalise(graph, factors))


@settings(max_examples=50)
@given(graph=units(), seed=st.integers(0, 99), exponent=EXPONENTS)
def test_units_behind_a_classifier_too(graph: Graph, seed: int, exponent: float) -> None:
    graph = classified(graph)
    factors = factors_for(graph, _any_statistics(graph, seed), exponent)
    assert_equal(graph, equalise(graph, factors))


@given(graph=graphs(), seed=st.integers(0, 99), exponent=EXPONENTS)
def test_factors_widen_within_a_bound_and_leave_both_ends(
    graph: Graph, seed: int, exponent: float
) -> None:
    factors = factors_for(graph, _any_statistics(graph, seed), exponent)
    for name, by in factors.items():
        assert (by >= 1).all(), name
        assert (by <= MOST).all(), name
    assert (factors[graph.input] == 1).all()
    assert (factors[graph.output] == 1).all()


def _pair() -> Graph:
    """A pointwise convolution and a depthwise one, whose channels differ by three powers of ten."""
    building = Building((4, 6, 6), np.random.default_rng(0))
    building.convolution(6, activation=Relu())
    first = building.nodes[-1].operator
    assert isinstance(first, Convolution)
    first.weight[:] *= np.logspace(0, 3, 6)[:, None, None, None] / 1000
    first.bias[:] = 0
    building.depthwise()
    building.convolution(5)
    return classified(building.graph())


def test_channels_that_depthwise_weights_read_fill_the_whole_range() -> None:
    graph = _pair()
    images = [np.random.default_rng(seed).normal(size=(1, 4, 6, 6)) for seed in range(8)]
    inputs = [image.astype(np.float32) for image in images]
    before = collect(graph, inputs)[graph.nodes[0].name].maxima
    assert before.max() / before.min() > 100
    equal = equalise(graph, factors_for(graph, collect(graph, inputs), 0.0))
    after = collect(equal, inputs)[graph.nodes[0].name].maxima
    np.testing.assert_allclose(after, np.minimum(before * MOST, before.max()), rtol=1e-4)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_channels_that_other_weights_read_are_widened_by_the_exponent(exponent: float) -> None:
    building = Building((4, 6, 6), np.random.default_rng(0))
    first = building.convolution(6)
    building.convolution(5)
    graph = classified(building.graph())
    found = _any_statistics(graph, 3)
    high = np.array([1, 2, 4, 8, 16, 32], np.float32)
    found[first] = ValueStatistics(-high, high, high[None])
    factors = factors_for(graph, found, exponent)[first]
    np.testing.assert_allclose(factors, (32 / high) ** exponent)


def test_what_is_added_concatenated_and_permuted_shares_its_factors() -> None:
    building = Building((4, 6, 6), np.random.default_rng(0))
    left = building.convolution(6)
    right = building.convolution(6)
    added = building.add(Add(), left, right)
    relu = building.add(Relu())
    turned = building.add(Gather((5, 4, 3, 2, 1, 0)))
    joined = building.add(Concatenate(), relu, turned)
    building.convolution(3)
    graph = classified(building.graph())
    factors = factors_for(graph, _any_statistics(graph, 1), 1.0)
    for name in (left, right, relu):
        assert (factors[name] == factors[added]).all()
    assert (factors[turned] == factors[added][::-1]).all()
    assert (factors[joined] == np.concatenate([factors[relu], factors[turned]])).all()
