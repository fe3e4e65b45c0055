"""The mean of squeeze and excitation moves only where it is the same, and gains."""

from __future__ import annotations

from typing import Any

import pytest

from generated_graphs import Building
from rewriting import assert_equal, start
from shufflenet_deploy.export.graph.operators import GlobalMean, Relu
from shufflenet_deploy.export.rewrites.squeeze import squeeze_before_expansion


def _expansion(wide: int = 12, **arguments: Any) -> Building:
    building = start()
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
    assert_equal(graph, rewritten)
    assert squeeze_before_expansion(rewritten)[1] == 0


@pytest.mark.parametrize(
    "arguments", [{"activation": Relu()}, {"kernel": 3}, {"stride": 2}, {"wide": 4}]
)
def test_the_mean_stays_where_it_cannot_move_or_would_not_gain(arguments: dict[str, Any]) -> None:
    assert squeeze_before_expansion(_expansion(**arguments).graph())[1] == 0


def test_a_mean_of_what_is_made_of_a_mean_stays_exact() -> None:
    building = start()
    building.convolution(8)
    for outputs in (12, 16):
        building.add(GlobalMean(keeps_map=True))
        building.convolution(outputs)
    rewritten, places = squeeze_before_expansion(building.graph())
    assert places == 2
    assert_equal(building.graph(), rewritten)
