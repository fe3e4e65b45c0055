from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from shufflenet_deploy.bench.measure.schedule import Forecast
from shufflenet_deploy.bench.results import Model, Parameters, Results
from shufflenet_deploy.runtime.worker.spec import ModelAnswer

MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]


def alone(run_ms: float) -> ModelAnswer:
    """What a worker answers that only loads a model and runs it a few times."""
    run_ns = round(run_ms * 1e6)
    return ModelAnswer(
        artifact="a",
        sha256="a",
        engine="e",
        engine_version="1",
        remarks={},
        load_ns=0,
        first_run_ns=2 * run_ns,
        difference=None,
        peak_memory_bytes=None,
        warm_up_ns=(run_ns,) * 3,
        stable=False,
        bursts=(),
    )


@pytest.fixture
def begun(make_model: MakeModel, make_results: MakeResults) -> Results:
    """Two models in one block, nothing timed yet; three processes are wanted."""
    parameters = Parameters(processes=3, rounds_per_process=10, seconds_per_process=3.0)
    models = [make_model("shufflenet-v1", 0.5), make_model("alexnet")]
    return make_results(*models, processes=0, parameters=parameters)


def test_before_all_models_were_probed_nothing_is_foreseen(begun: Results) -> None:
    unprobed = replace(begun, models=tuple(replace(one, probe=None) for one in begun.models))
    assert Forecast(unprobed).seconds_left(unprobed, unprobed.blocks, 0.0) is None


def test_a_block_of_which_nothing_is_known_is_not_foreseen(begun: Results) -> None:
    forecast = Forecast(begun)
    assert forecast.expected(begun.blocks[0]) is None
    assert forecast.seconds_left(begun, begun.blocks, 0.0) is None
    assert forecast.seconds_left(begun, (), 0.0) == 0


def test_fast_models_take_their_start_their_warm_up_and_their_rounds(begun: Results) -> None:
    forecast = Forecast(begun)
    forecast.saw_alone(0, alone(run_ms=1.0), seconds=0.605)  # 0.6 s of it are no runs
    forecast.saw_alone(1, alone(run_ms=10.0), seconds=0.55)  # 0.5 s
    # The longest start; 30 of 60 runs each to warm up; 10 rounds of 8 runs each.
    expected = 0.6 + 30 * 0.011 + 10 * 8 * 0.011
    assert forecast.expected(begun.blocks[0]) == pytest.approx(expected)
    assert forecast.seconds_left(begun, begun.blocks, 0.0) == pytest.approx(3 * expected)


def test_slow_models_stop_at_the_seconds_of_a_process_but_do_two_rounds(begun: Results) -> None:
    forecast = Forecast(begun)
    forecast.saw_alone(0, alone(run_ms=0.0), seconds=0.0)
    forecast.saw_alone(1, alone(run_ms=25.0), seconds=0.125)
    # Warm-up 30 runs; 10 rounds would be 2 s: all of them fit.
    assert forecast.expected(begun.blocks[0]) == pytest.approx(30 * 0.025 + 2.0)
    forecast.saw_alone(1, alone(run_ms=50.0), seconds=0.25)
    # The warm-up ends after 1 s; 10 rounds would be 4 s: 3 s.
    assert forecast.expected(begun.blocks[0]) == pytest.approx(1.0 + 3.0)
    forecast.saw_alone(1, alone(run_ms=1000.0), seconds=5.0)
    # Two rounds of 8 runs take longer than 3 s.
    assert forecast.expected(begun.blocks[0]) == pytest.approx(1.0 + 16.0)


def test_processes_that_were_seen_are_better_than_a_forecast(begun: Results) -> None:
    forecast = Forecast(begun)
    (block,) = begun.blocks
    forecast.saw_alone(0, alone(run_ms=1.0), seconds=1.0)
    forecast.saw_process(block, 4.0)
    forecast.saw_process(block, 6.0)
    assert forecast.expected(block) == 5.0


def test_done_processes_are_not_left_but_an_open_block_wants_one_more(
    begun: Results, make_results: MakeResults
) -> None:
    for done, left in ((1, 2), (2, 1), (3, 1), (4, 1)):
        results = make_results(*begun.models, processes=done, parameters=begun.parameters)
        # Each process of the fixture lasts a second.
        assert Forecast(results).seconds_left(results, results.blocks, 0.0) == left


def test_no_more_is_left_than_until_patience_is_over(
    begun: Results, make_results: MakeResults
) -> None:
    parameters = replace(begun.parameters, processes=8, hasty_processes=3, patience_minutes=1.0)
    results = make_results(*begun.models, processes=2, parameters=parameters)
    forecast = Forecast(results)
    (block,) = results.blocks
    # One more process is needed by then, of a second; six more are wanted.
    for elapsed, left in ((0.0, 6.0), (57.0, 3.0), (59.5, 1.0), (90.0, 1.0)):
        assert forecast.seconds_left(results, [block], elapsed) == pytest.approx(left)


def test_what_is_only_checked_is_checked_once(begun: Results) -> None:
    emulated = replace(begun, target=replace(begun.target, latency=False))
    forecast = Forecast(emulated)
    forecast.saw_process(emulated.blocks[0], 4.0)
    assert forecast.seconds_left(emulated, emulated.blocks, 0.0) == 4.0


def test_time_goes_on_where_an_earlier_measurement_ended(
    begun: Results, make_results: MakeResults
) -> None:
    assert Forecast(begun).before == 0.0
    results = make_results(*begun.models, processes=3)  # begun at 0, 1 and 2 s
    assert Forecast(results).before == 3.0


def test_a_process_that_would_end_too_late_is_over(begun: Results) -> None:
    limited = replace(begun, parameters=replace(begun.parameters, minutes=1.0))
    forecast = Forecast(limited)
    (block,) = begun.blocks
    assert not forecast.is_over(59.0, block)  # of which nothing is known is tried
    assert forecast.is_over(61.0, block)
    forecast.saw_process(block, 10.0)
    assert not forecast.is_over(50.0, block)
    assert forecast.is_over(50.1, block)


def test_without_a_limit_nothing_is_over(begun: Results) -> None:
    assert not Forecast(begun).is_over(1e9, begun.blocks[0])
