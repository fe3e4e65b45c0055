from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.analysis.estimates import ratios
from shufflenet_deploy.bench.analysis.selection import full_speed, select_bursts, slow_share
from shufflenet_deploy.bench.analysis.summarise import summarise
from shufflenet_deploy.bench.analysis.warnings import notes
from shufflenet_deploy.bench.compare.comparison import compare
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.results import Model, Results, Timed

Make = Callable[[Callable[[int, int], bool]], Results]
SLOW, FAST = 600, 300
LOWERED = 360
"""Beside a model that has the processor lower its clock."""


@pytest.fixture
def make(make_model: Callable[..., Model], make_results: Callable[..., Results]) -> Make:
    """Two models named together; where `slow(process, round)`, the second takes twice as long.

    And the first three times: what slows a processor down moves ratios too.
    """

    def build(slow: Callable[[int, int], bool]) -> Results:
        results = make_results(
            make_model(scale=0.5),
            make_model(scale=1.0),
            times=lambda process, number, member: (
                (3.0, 4.0)[member] if slow(process, number) else (1.0, 2.0)[member]
            ),
            named=2,
        )
        return pulsed(results, lambda member, *when: (FAST, SLOW if slow(*when) else FAST))

    return build


def pulsed(results: Results, pulses: Callable[[int, int, int], tuple[int, int]]) -> Results:
    """With `pulses(member, process, round)` before and after each burst's timed runs."""
    runs = []
    for run in results.runs:
        assert isinstance(run, Timed)
        models = []
        for model in run.models:
            bursts = tuple(
                replace(burst, pulses_ns=pulses(model.member, run.process, burst.round))
                for burst in model.bursts
            )
            models.append(replace(model, bursts=bursts))
        runs.append(replace(run, models=tuple(models)))
    return replace(results, runs=tuple(runs))


def ratio(results: Results) -> float:
    (estimate,) = ratios(results, results.blocks[0], load_paper()).values()
    return estimate.value


def test_rounds_beside_a_slow_pulse_are_set_aside(make: Make) -> None:
    results = make(lambda process, number: number % 2 == 1)
    assert ratio(results) == pytest.approx(2.0)
    assert slow_share(results) == 0.5
    assert any("In 50% of the bursts" in note for note in notes(results))


def test_latency_is_of_the_others_and_percentiles_are_of_all(make: Make) -> None:
    first, _ = summarise(make(lambda process, number: number % 2 == 1), load_paper()).models
    assert first.latency_ms is not None
    assert first.latency_ms.value == pytest.approx(1.0)
    assert first.latency_ms.rounds == 10
    assert first.p90_ms == pytest.approx(3.0)
    assert len(first.samples_ms) == 60


def test_a_process_that_was_slow_throughout_does_not_count(make: Make) -> None:
    results = make(lambda process, number: process < 2)
    (estimate,) = ratios(results, results.blocks[0], load_paper()).values()
    assert estimate.processes == 3
    assert estimate.value == pytest.approx(2.0)


def test_with_too_few_at_full_speed_all_count(make: Make) -> None:
    results = make(lambda process, number: process < 3)
    (estimate,) = ratios(results, results.blocks[0], load_paper()).values()
    assert estimate.processes == 5
    assert estimate.rounds == 20


def test_of_a_machine_that_is_hardly_ever_fast_all_count(make: Make) -> None:
    results = make(lambda process, number: (process, number) not in {(0, 0), (1, 1), (2, 2)})
    (estimate,) = ratios(results, results.blocks[0], load_paper()).values()
    assert estimate.rounds == 20
    assert any("too many to set aside" in note for note in notes(results))


def test_a_machine_at_rest_keeps_everything(make: Make) -> None:
    results = make(lambda process, number: False)
    assert slow_share(results) == 0
    assert not any("of the bursts" in note for note in notes(results))


def test_a_board_that_tells_its_frequency_is_measured_as_it_is(make: Make) -> None:
    results = make(lambda process, number: number % 2 == 1)
    runs: Sequence[object] = results.runs
    told = tuple(
        replace(run, states=(replace(run.states[0], frequencies_mhz={0: 1500.0}),))
        for run in runs
        if isinstance(run, Timed)
    )
    assert slow_share(replace(results, runs=told)) == 0


def test_a_model_that_slows_the_core_down_itself_keeps_its_bursts(make: Make) -> None:
    results = make(lambda process, number: False)
    lowered = pulsed(results, lambda member, *when: ((FAST, FAST), (LOWERED, LOWERED))[member])
    assert slow_share(lowered) == 0


def test_a_neighbour_of_such_a_model_is_seen_all_the_same(make: Make) -> None:
    results = make(lambda process, number: number % 2 == 1)
    lowered = pulsed(
        results,
        lambda member, process, number: (
            (FAST, LOWERED)[member],
            (FAST, LOWERED)[member] * (2 if number % 2 else 1),
        ),
    )
    assert slow_share(lowered) == 0.5
    assert ratio(lowered) == pytest.approx(2.0)


def test_a_model_that_never_had_full_speed_does_not_seem_to_slow_the_core_down(make: Make) -> None:
    results = make(lambda process, number: False)
    lowered = pulsed(results, lambda member, *when: ((FAST, FAST), (SLOW, SLOW))[member])
    assert slow_share(lowered) == 0.5


def latencies(results: Results) -> list[float]:
    return [
        model.latency_ms.value
        for model in summarise(results, load_paper()).models
        if model.latency_ms
    ]


def slow_for(results: Results, slow: Callable[[int, int, int], bool]) -> Results:
    """With pulses that tell of a neighbour beside the bursts of one model, not of the other."""
    return pulsed(results, lambda *burst: (FAST, SLOW if slow(*burst) else FAST))


def processes_of(results: Results) -> list[int]:
    return [run.process for run in select_bursts(results)]


def test_a_process_in_which_one_model_was_slow_counts_for_none(make: Make) -> None:
    results = make(lambda process, number: False)
    lowered = slow_for(results, lambda member, process, number: member == 1 and process == 2)
    assert processes_of(lowered) == [0, 1, 3, 4]
    estimates = [model.latency_ms for model in summarise(lowered, load_paper()).models]
    assert [estimate and estimate.processes for estimate in estimates] == [4, 4]


def test_a_process_counts_where_its_models_share_fast_rounds(make: Make) -> None:
    results = make(lambda process, number: False)
    # In process 0 the one model is fast in rounds 0 and 1, the other in 2 and 3.
    lowered = slow_for(
        results, lambda member, process, number: process == 0 and (number < 2) == (member == 1)
    )
    assert processes_of(lowered) == [1, 2, 3, 4]


def test_an_interrupted_process_does_not_count_beside_enough_whole_ones(make: Make) -> None:
    results = make(lambda process, number: number == 3)
    *whole, last = results.runs
    assert isinstance(last, Timed)
    first, second = last.models
    cut = replace(last, stopped="interrupted", models=(first, replace(second, bursts=())))
    assert processes_of(replace(results, runs=(*whole, cut))) == [0, 1, 2, 3]
    # Beside too few, all that there is counts.
    assert processes_of(replace(results, runs=(*whole[:1], cut))) == [0, 4]


def test_no_model_is_lost_that_only_slow_processes_timed(make: Make) -> None:
    results = make(lambda process, number: process > 2)
    runs = tuple(
        replace(run, models=run.models[:1]) if run.process <= 2 else run
        for run in results.runs
        if isinstance(run, Timed)
    )
    assert len(latencies(replace(results, runs=runs))) == 2


def test_each_block_is_decided_on_by_itself(
    make_model: Callable[..., Model], make_results: Callable[..., Results]
) -> None:
    calm, shared = (make_model(scale=1.0, format=name) for name in ("onnx", "tflite"))
    results = make_results(calm, shared)
    assert len(results.blocks) == 2
    lowered = slow_for(
        results,
        lambda member, process, number: process > 1 if member == 1 else number == 0,
    )
    of_calm, of_shared = (
        [run for run in select_bursts(lowered) if run.block == block.id] for block in results.blocks
    )
    assert {len(model.bursts) for run in of_calm for model in run.models} == {3}
    assert {len(model.bursts) for run in of_shared for model in run.models} == {4}
    assert len(of_calm) == len(of_shared) == 5


@pytest.mark.parametrize("slow_processes", range(6))
@pytest.mark.parametrize("slow_rounds", range(5))
def test_a_comparison_has_the_latencies_of_the_summary(
    make: Make, slow_processes: int, slow_rounds: int
) -> None:
    results = make(lambda process, number: process < slow_processes and number < slow_rounds)
    changes = compare(results, results).changes
    assert [change.a_ms for change in changes] == pytest.approx(latencies(results))


def test_without_pulses_all_count(
    make_model: Callable[..., Model], make_results: Callable[..., Results]
) -> None:
    assert slow_share(make_results(make_model(scale=0.5))) == 0
    assert slow_share(make_results()) == 0


def test_the_next_process_waits_for_the_fastest_so_far(make: Make) -> None:
    assert full_speed(make(lambda process, number: number % 2 == 1)).pulse_ns == FAST


def test_the_first_process_knows_of_no_full_speed(make_results: Callable[..., Results]) -> None:
    assert full_speed(make_results()).pulse_ns is None


def test_with_few_blocks_each_process_may_wait_longer(
    make: Make, make_results: Callable[..., Results]
) -> None:
    results = make(lambda process, number: False)
    (block,) = results.blocks
    assert full_speed(results).seconds == 4
    assert full_speed(replace(results, blocks=(block,) * 6)).seconds == 2.5
    assert full_speed(replace(results, blocks=(block,) * 40)).seconds == 1
    assert full_speed(make_results()).seconds == 4
