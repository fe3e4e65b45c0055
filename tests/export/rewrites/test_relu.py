"""A ReLU moves only to where it changes nothing."""

from __future__ import annotations

from rewriting import assert_equal, operators, start
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import ChannelScale, Concatenate, Convolution, Relu
from shufflenet_deploy.export.rewrites.relu import relu_before_concatenation


def _stride_2_end(branch_relu: bool, shortcut_is_positive: bool) -> Graph:
    building = start()
    source = building.convolution(4, activation=Relu() if shortcut_is_positive else None)
    branch = building.convolution(6, activation=Relu() if branch_relu else None)
    building.add(Concatenate(), branch, source)
    building.add(Relu())
    return building.graph()


def test_relu_moves_into_the_branch_where_the_shortcut_is_positive() -> None:
    rewritten, places = relu_before_concatenation(_stride_2_end(False, True))
    assert places == 1
    assert operators(rewritten) == [Convolution, Convolution, Concatenate]


def test_relu_stays_where_the_shortcut_may_be_negative() -> None:
    # The shortcut's convolution has a second reader, the branch, and cannot take the ReLU.
    assert relu_before_concatenation(_stride_2_end(False, False))[1] == 0


def test_relu_moves_into_the_scaling_of_the_branch() -> None:
    building = start()
    source = building.convolution(4, activation=Relu())
    building.convolution(6)
    branch = building.squeeze_excitation(2)
    building.add(Concatenate(), branch, source)
    building.add(Relu())
    rewritten, places = relu_before_concatenation(building.graph())
    assert places == 1
    assert [n.operator for n in rewritten if isinstance(n.operator, ChannelScale)] == [
        ChannelScale(activation=Relu())
    ]
    assert_equal(building.graph(), rewritten)
