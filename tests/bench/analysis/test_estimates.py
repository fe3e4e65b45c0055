from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shufflenet_deploy.bench.analysis.estimates import (
    base_of,
    claimed,
    half_width_percent,
    is_known,
    ratios,
)
from shufflenet_deploy.bench.analysis.summary import Estimate
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import Block, Model, Parameters, Results, Timed

PAPER = load_paper()
MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]


def block_of(results: Results, claim: str | None) -> Block:
    (found,) = (block for block in results.blocks if block.claim == claim)
    return found


@pytest.fixture
def pair(make_model: MakeModel) -> tuple[Model, Model]:
    return make_model("shufflenet-v1", 0.5), make_model("alexnet")


@pytest.fixture(scope="session")
def three(make_model: MakeModel) -> list[Model]:
    return [
        make_model("shufflenet-v1", scale, multiply_adds=work)
        for scale, work in ((0.5, 38_000_000), (1.0, 137_000_000), (2.0, 524_000_000))
    ]


def test_ratios_are_paired_within_rounds(
    pair: tuple[Model, Model], make_results: MakeResults
) -> None:
    # The machine slows down; medians apart would give 20 / 3, not 10.
    times = ((1.0, 3.0, 5.0), (10.0, 20.0, 50.0))
    results = make_results(
        *pair, times=lambda process, number, member: times[member][number], rounds=3, processes=1
    )
    estimate = claimed(results, block_of(results, "alexnet"), PAPER)
    assert estimate
    assert estimate.value == pytest.approx(10)
    assert (estimate.processes, estimate.rounds) == (1, 3)
    assert (estimate.low, estimate.high) == (None, None)


drifts = st.lists(
    st.lists(st.integers(1, 50), min_size=3, max_size=3), min_size=2, max_size=4
)  # process, round -> how slow the machine is


@given(exponent=st.floats(0.3, 1.2), drift=drifts)
def test_a_power_law_gives_its_speedup_whatever_the_machine_does(
    three: list[Model], make_results: MakeResults, exponent: float, drift: list[list[int]]
) -> None:
    results = make_results(
        *three,
        times=lambda process, number, member: (
            drift[process][number] * ((three[member].multiply_adds or 0) / 1e6) ** exponent
        ),
        processes=len(drift),
        rounds=3,
    )
    estimate = claimed(results, block_of(results, "fourfold"), PAPER)
    assert estimate
    assert estimate.low
    assert estimate.value == pytest.approx(4**exponent, rel=1e-6)
    assert estimate.low == pytest.approx(estimate.high, rel=1e-5)


def test_the_interval_is_of_the_spread_between_processes(
    pair: tuple[Model, Model], make_results: MakeResults
) -> None:
    def width(times: Callable[[int, int, int], float]) -> float:
        results = make_results(*pair, times=times, processes=4, rounds=4)
        estimate = claimed(results, block_of(results, "alexnet"), PAPER)
        assert estimate
        return half_width_percent(estimate) or 0.0

    assert width(lambda process, number, member: 1 + member * number / 10) < 1e-6
    assert width(lambda process, number, member: 1 + member * process / 10) > 10


def test_a_claim_s_ratio_says_by_which_model_to_divide(
    pair: tuple[Model, Model], make_results: MakeResults
) -> None:
    results = make_results(*pair, times=lambda process, number, member: (2.0, 10.0)[member])
    block = block_of(results, "alexnet")
    assert base_of(block, PAPER) == 0
    found = ratios(results, block, PAPER)
    assert list(found) == [1]
    assert found[1].value == pytest.approx(5)


def test_other_blocks_divide_by_their_first_model(
    three: list[Model], make_results: MakeResults
) -> None:
    results = make_results(*three, times=lambda process, number, member: 1.0 + member)
    found = ratios(results, block_of(results, "fourfold"), PAPER)
    assert {member: one.value for member, one in found.items()} == pytest.approx({1: 2, 2: 3})


def test_a_block_without_a_claim_has_no_statistic(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    results = make_results(make_model("resnet"), make_model("resnet", format="tflite"), named=2)
    block = block_of(results, None)
    assert claimed(results, block, PAPER) is None
    assert list(ratios(results, block, PAPER)) == [1]


def test_a_process_that_lacks_a_model_tells_nothing_of_its_ratio(
    pair: tuple[Model, Model], make_results: MakeResults
) -> None:
    results = make_results(*pair, processes=3)
    cut = tuple(
        replace(run, models=run.models[:1]) if run.process else run
        for run in results.runs
        if isinstance(run, Timed)
    )
    found = ratios(replace(results, runs=cut), results.blocks[0], PAPER)
    assert found[1].processes == 1
    assert ratios(replace(results, runs=()), results.blocks[0], PAPER) == {}


def test_known_is_what_all_figures_of_a_block_are(
    three: list[Model], make_results: MakeResults
) -> None:
    # The middle model scatters: the slope hardly moves, the model's ratio does.
    def known(percent: float, times: Callable[[int, int, int], float]) -> bool:
        parameters = Parameters(interval_percent=percent)
        results = make_results(*three, times=times, processes=5, parameters=parameters)
        return is_known(results, block_of(results, "fourfold"), PAPER)

    assert known(0.1, lambda process, number, member: 1.0 + member)
    assert not known(2.0, lambda process, number, member: 1.0 + (member == 1) * process / 10)
    assert known(100.0, lambda process, number, member: 1.0 + (member == 1) * process / 10)


def test_one_process_is_never_known_to_any_width(
    pair: tuple[Model, Model], make_results: MakeResults
) -> None:
    results = make_results(*pair, processes=1, parameters=Parameters(interval_percent=1e9))
    assert not is_known(results, results.blocks[0], PAPER)


def test_half_the_width_is_of_the_value() -> None:
    estimate = Estimate(value=10, low=9, high=11, processes=2, rounds=2)
    assert half_width_percent(estimate) == pytest.approx(10)
    assert half_width_percent(replace(estimate, low=None, high=None)) is None
