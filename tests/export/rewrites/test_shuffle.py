"""Shuffles vanish, move or become a gather only where the network stays the same."""

from __future__ import annotations

from rewriting import assert_equal, operators, start
from shufflenet_deploy.export.graph.operators import Add, Convolution, Gather, Relu, Shuffle
from shufflenet_deploy.export.rewrites.shuffle import (
    absorb_shuffle,
    shuffle_after_depthwise,
    shuffle_as_gather,
)


def test_shuffle_vanishes_behind_an_ungrouped_convolution() -> None:
    building = start()
    building.convolution(6)
    building.add(Shuffle(3))
    rewritten, places = absorb_shuffle(building.graph())
    assert places == 1
    assert operators(rewritten) == [Convolution]
    assert_equal(building.graph(), rewritten)


def test_shuffle_stays_behind_a_grouped_convolution() -> None:
    building = start()
    building.convolution(6, groups=2)
    building.add(Shuffle(3))
    assert absorb_shuffle(building.graph())[1] == 0


def test_shuffle_stays_where_something_else_reads_the_convolution_too() -> None:
    building = start()
    convolution = building.convolution(6)
    shuffle = building.add(Shuffle(3))
    building.add(Add(), convolution, shuffle)
    assert absorb_shuffle(building.graph())[1] == 0


def test_shuffle_and_depthwise_change_places() -> None:
    building = start()
    building.convolution(6, groups=2)
    building.add(Shuffle(3))
    building.depthwise(stride=2)
    rewritten, places = shuffle_after_depthwise(building.graph())
    assert places == 1
    assert operators(rewritten) == [Convolution, Convolution, Shuffle]
    assert_equal(building.graph(), rewritten)
    kinds = {node.name: type(node.operator) for node in building.graph()}
    assert {node.name: type(node.operator) for node in rewritten} == kinds


def test_all_that_read_the_depthwise_convolution_read_the_shuffle_then() -> None:
    building = start()
    building.convolution(6, groups=2)
    building.add(Shuffle(3))
    depthwise = building.depthwise()
    relu = building.add(Relu())
    building.add(Add(), depthwise, relu)
    rewritten, places = shuffle_after_depthwise(building.graph())
    assert places == 1
    assert_equal(building.graph(), rewritten)


def test_two_shuffled_depthwise_convolutions_in_a_row_stay_exact() -> None:
    building = start()
    building.convolution(6)
    for _ in range(2):
        building.add(Shuffle(3))
        building.depthwise()
    rewritten, places = shuffle_after_depthwise(building.graph())
    assert places == 2
    assert_equal(building.graph(), rewritten)


def test_shuffle_becomes_a_gather() -> None:
    building = start()
    building.add(Shuffle(2))
    rewritten, places = shuffle_as_gather(building.graph())
    assert places == 1
    assert rewritten.nodes[0].operator == Gather((0, 2, 1, 3))
