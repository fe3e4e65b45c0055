"""What 8 bits make of numbers."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from generated_graphs import Building, classified
from shufflenet_deploy.export.graph.operators import Relu, Shuffle
from shufflenet_deploy.export.quantisation.ranges import Rule, ranges
from shufflenet_deploy.export.quantisation.simulation import rounding, simulate
from shufflenet_deploy.export.quantisation.statistics import collect
from shufflenet_deploy.models.quantisation import STEPS, rounded
from shufflenet_deploy.runtime.decibels import sqnr_db

ENDS = st.tuples(st.floats(-100, 0), st.floats(0, 100)).filter(lambda ends: ends[1] - ends[0] > 0.1)


@given(limits=ENDS, share=st.floats(0, 1))
def test_inside_the_range_the_error_is_half_a_step(
    limits: tuple[float, float], share: float
) -> None:
    low, high = limits
    step = (high - low) / STEPS
    number = torch.tensor([low + share * (high - low)])
    # The range moves by up to half a step, so that 0 is one of its numbers.
    assert abs(float(rounded(number, limits) - number)) <= 1.01 * step


@given(limits=ENDS)
def test_zero_stays_zero_and_far_away_is_the_end(limits: tuple[float, float]) -> None:
    low, high = limits
    step = (high - low) / STEPS
    zero, above, below = rounded(torch.tensor([0.0, 1e6, -1e6]), limits).tolist()
    assert zero == 0
    assert abs(above - high) <= step
    assert abs(below - low) <= step


def test_a_graph_is_rounded_where_engines_round_it() -> None:
    building = Building((4, 8, 8), np.random.default_rng(0))
    building.convolution(8, activation=Relu())
    shuffled = building.add(Shuffle(2))
    building.convolution(8, groups=2)
    graph = classified(building.graph())
    random = np.random.default_rng(1)
    images = [random.normal(size=(1, 4, 8, 8)).astype(np.float32) for _ in range(8)]
    limits = ranges(graph, collect(graph, images), Rule(), (-4.0, 4.0))
    see = rounding(graph, limits)
    value = torch.linspace(-1, 1, 100)
    assert see(shuffled, value) is value
    assert len(set(see(graph.nodes[0].name, value).tolist())) < 100
    decibels = sqnr_db(simulate(graph, images), simulate(graph, images, see))
    assert 20 < decibels < 60
