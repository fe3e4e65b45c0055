"""Each rewrite is exact on whatever graph, and does something where it should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from generated_graphs import Building, graphs, units
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import (
    Add,
    AveragePool,
    ChannelScale,
    Concatenate,
    Convolution,
    Gather,
    GlobalMean,
    MaxPool,
    Relu,
    Shuffle,
)
from shufflenet_deploy.export.graph.reference import interpret
from shufflenet_deploy.export.rewrites import (
    REWRITES,
    Rewrite,
    absorb_shuffle,
    average_pool_as_depthwise,
    max_pool_of_non_negative,
    non_negative,
    relu_before_concatenation,
    shuffle_after_depthwise,
    shuffle_as_gather,
)
from shufflenet_deploy.export.rewrites.squeeze import squeeze_before_expansion


def _assert_equal(graph: Graph, rewritten: Graph) -> None:
    images = np.random.default_rng(7).normal(size=(2, *graph.input_shape))
    before, after = interpret(graph, images), interpret(rewritten, images)
    assert after.shape == before.shape
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-12 * max(1, np.abs(before).max()))


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda rewrite: rewrite.name)
@given(graph=graphs())
def test_each_rewrite_is_exact_on_any_graph(rewrite: Rewrite, graph: Graph) -> None:
    _assert_equal(graph, rewrite.apply(graph)[0])


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda rewrite: rewrite.name)
@given(graph=units())
def test_each_rewrite_is_exact_on_shufflenet_units(rewrite: Rewrite, graph: Graph) -> None:
    _assert_equal(graph, rewrite.apply(graph)[0])


KINDS = sorted({kind for rewrite in REWRITES for kind in rewrite.kinds})


@pytest.mark.parametrize("kind", KINDS)
@given(graph=units())
def test_all_rewrites_of_a_kind_together_are_exact(kind: str, graph: Graph) -> None:
    rewritten = graph
    for rewrite in REWRITES:
        if kind in rewrite.kinds:
            rewritten, _ = rewrite.apply(rewritten)
    _assert_equal(graph, rewritten)


def _operators(graph: Graph) -> list[type]:
    return [type(node.operator) for node in graph]


def _building() -> Building:
    return Building((4, 8, 8), np.random.default_rng(0))


def test_shuffle_vanishes_behind_an_ungrouped_convolution() -> None:
    building = _building()
    building.convolution(6)
    building.add(Shuffle(3))
    rewritten, places = absorb_shuffle(building.graph())
    assert places == 1
    assert _operators(rewritten) == [Convolution]
    _assert_equal(building.graph(), rewritten)


def test_shuffle_stays_behind_a_grouped_convolution() -> None:
    building = _building()
    building.convolution(6, groups=2)
    building.add(Shuffle(3))
    assert absorb_shuffle(building.graph())[1] == 0


def test_shuffle_stays_where_something_else_reads_the_convolution_too() -> None:
    building = _building()
    convolution = building.convolution(6)
    shuffle = building.add(Shuffle(3))
    building.add(Add(), convolution, shuffle)
    assert absorb_shuffle(building.graph())[1] == 0


def test_shuffle_and_depthwise_change_places() -> None:
    building = _building()
    building.convolution(6, groups=2)
    building.add(Shuffle(3))
    building.depthwise(stride=2)
    rewritten, places = shuffle_after_depthwise(building.graph())
    assert places == 1
    assert _operators(rewritten) == [Convolution, Convolution, Shuffle]
    _assert_equal(building.graph(), rewritten)
    kinds = {node.name: type(node.operator) for node in building.graph()}
    assert {node.name: type(node.operator) for node in rewritten} == kinds


def test_all_that_read_the_depthwise_convolution_read_the_shuffle_then() -> None:
    building = _building()
    building.convolution(6, groups=2)
    building.add(Shuffle(3))
    depthwise = building.depthwise()
    relu = building.add(Relu())
    building.add(Add(), depthwise, relu)
    rewritten, places = shuffle_after_depthwise(building.graph())
    assert places == 1
    _assert_equal(building.graph(), rewritten)


def test_two_shuffled_depthwise_convolutions_in_a_row_stay_exact() -> None:
    building = _building()
    building.convolution(6)
    for _ in range(2):
        building.add(Shuffle(3))
        building.depthwise()
    rewritten, places = shuffle_after_depthwise(building.graph())
    assert places == 2
    _assert_equal(building.graph(), rewritten)


def test_average_pool_becomes_a_depthwise_convolution() -> None:
    building = _building()
    building.add(AveragePool((3, 3), (2, 2), (1, 1)))
    rewritten, places = average_pool_as_depthwise(building.graph())
    assert places == 1
    assert _operators(rewritten) == [Convolution]
    _assert_equal(building.graph(), rewritten)


def _stride_2_end(branch_relu: bool, shortcut_is_positive: bool) -> Graph:
    building = _building()
    source = building.convolution(4, relu=shortcut_is_positive)
    branch = building.convolution(6, relu=branch_relu)
    building.add(Concatenate(), branch, source)
    building.add(Relu())
    return building.graph()


def test_relu_moves_into_the_branch_where_the_shortcut_is_positive() -> None:
    rewritten, places = relu_before_concatenation(_stride_2_end(False, True))
    assert places == 1
    assert _operators(rewritten) == [Convolution, Convolution, Concatenate]


def test_relu_stays_where_the_shortcut_may_be_negative() -> None:
    # The shortcut's convolution has a second reader, the branch, and cannot take the ReLU.
    assert relu_before_concatenation(_stride_2_end(False, False))[1] == 0


def test_relu_moves_into_the_scaling_of_the_branch() -> None:
    building = _building()
    source = building.convolution(4, relu=True)
    building.convolution(6)
    branch = building.squeeze_excitation(2)
    building.add(Concatenate(), branch, source)
    building.add(Relu())
    rewritten, places = relu_before_concatenation(building.graph())
    assert places == 1
    assert [n.operator for n in rewritten if isinstance(n.operator, ChannelScale)] == [
        ChannelScale(relu=True)
    ]
    _assert_equal(building.graph(), rewritten)


def _expansion(wide: int = 12, **arguments: Any) -> Building:
    building = _building()
    building.convolution(wide, **arguments)
    building.squeeze_excitation(2)
    return building


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_mean_is_taken_where_there_are_fewer_channels(groups: int) -> None:
    graph = _expansion(groups=groups).graph()
    rewritten, places = squeeze_before_expansion(graph)
    assert places == 1
    (mean,) = (node for node in rewritten if node.operator == GlobalMean(keeps_map=True))
    assert mean.inputs == ("images",)
    _assert_equal(graph, rewritten)
    assert squeeze_before_expansion(rewritten)[1] == 0


@pytest.mark.parametrize("arguments", [{"relu": True}, {"kernel": 3}, {"stride": 2}, {"wide": 4}])
def test_the_mean_stays_where_it_cannot_move_or_would_not_gain(arguments: dict[str, Any]) -> None:
    assert squeeze_before_expansion(_expansion(**arguments).graph())[1] == 0


def test_a_mean_of_what_is_made_of_a_mean_stays_exact() -> None:
    building = _building()
    building.convolution(8)
    for outputs in (12, 16):
        building.add(GlobalMean(keeps_map=True))
        building.convolution(outputs)
    rewritten, places = squeeze_before_expansion(building.graph())
    assert places == 2
    _assert_equal(building.graph(), rewritten)


def test_a_bottleneck_is_widened_although_a_mean_reads_it_afterwards() -> None:
    building = _building()
    source = building.convolution(12)
    building.convolution(6, groups=2)
    building.add(Shuffle(2))
    building.depthwise()
    building.convolution(12, groups=2)
    building.add(Add(), building.squeeze_excitation(2), source)
    graph, places = building.graph(), {}
    for rewrite in REWRITES:
        if "onnx-int8-arm64" in rewrite.kinds:
            graph, places[rewrite.name] = rewrite.apply(graph)
    assert places["pad_bottleneck_to_8"] == places["squeeze_before_expansion"] == 1
    _assert_equal(building.graph(), graph)


def test_max_pool_is_marked_only_where_its_input_is_positive() -> None:
    for relu in (True, False):
        building = _building()
        building.convolution(4, relu=relu)
        building.add(MaxPool((3, 3), (2, 2), (1, 1)))
        assert max_pool_of_non_negative(building.graph())[1] == int(relu)


def test_reference_notices_a_wrong_mark() -> None:
    # Else the property tests above could not fail for this rewrite.
    pool = MaxPool((3, 3), (2, 2), (1, 1))
    right, wrong = _building(), _building()
    right.add(pool)
    wrong.add(replace(pool, non_negative=True))
    images = np.full((1, 4, 8, 8), -3.0)
    assert interpret(right.graph(), images).max() == -3
    assert interpret(wrong.graph(), images).max() == 0


def test_shuffle_becomes_a_gather() -> None:
    building = _building()
    building.add(Shuffle(2))
    rewritten, places = shuffle_as_gather(building.graph())
    assert places == 1
    assert rewritten.nodes[0].operator == Gather((0, 2, 1, 3))


@given(graph=graphs())
def test_values_called_non_negative_are(graph: Graph) -> None:
    positive = non_negative(graph)
    images = np.random.default_rng(3).normal(size=(2, *graph.input_shape))
    for node in graph:
        if node.name in positive:
            assert (interpret(replace(graph, output=node.name), images) >= 0).all()
