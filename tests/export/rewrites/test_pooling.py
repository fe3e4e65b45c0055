"""Poolings get their fast form only where it is the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rewriting import assert_equal, operators, start
from shufflenet_deploy.export.graph.operators import AveragePool, Convolution, MaxPool, Relu
from shufflenet_deploy.export.graph.reference import interpret
from shufflenet_deploy.export.rewrites.pooling import (
    average_pool_as_depthwise,
    max_pool_of_non_negative,
)


def test_average_pool_becomes_a_depthwise_convolution() -> None:
    building = start()
    building.add(AveragePool((3, 3), (2, 2), (1, 1)))
    rewritten, places = average_pool_as_depthwise(building.graph())
    assert places == 1
    assert operators(rewritten) == [Convolution]
    assert_equal(building.graph(), rewritten)


def test_max_pool_is_marked_only_where_its_input_is_positive() -> None:
    for relu in (True, False):
        building = start()
        building.convolution(4, activation=Relu() if relu else None)
        building.add(MaxPool((3, 3), (2, 2), (1, 1)))
        assert max_pool_of_non_negative(building.graph())[1] == int(relu)


def test_reference_notices_a_wrong_mark() -> None:
    # Else the property tests above could not fail for this rewrite.
    pool = MaxPool((3, 3), (2, 2), (1, 1))
    right, wrong = start(), start()
    right.add(pool)
    wrong.add(replace(pool, non_negative=True))
    images = np.full((1, 4, 8, 8), -3.0)
    assert interpret(right.graph(), images).max() == -3
    assert interpret(wrong.graph(), images).max() == 0
