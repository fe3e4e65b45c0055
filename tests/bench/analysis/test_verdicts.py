from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from shufflenet_deploy.bench.analysis.summarise import setting_of
from shufflenet_deploy.bench.analysis.summary import Estimate, Verdict
from shufflenet_deploy.bench.analysis.verdicts import judge, verdict
from shufflenet_deploy.bench.paper.claims import Claim, load_paper
from shufflenet_deploy.bench.results import Block, Checked, CheckedModel, Model, Results

PAPER = load_paper()
MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]

figures = st.floats(0.01, 100)
bands = st.tuples(figures, figures | st.none()).filter(lambda b: b[1] is None or b[0] < b[1])
better = st.sampled_from(["higher", "lower"])


def a_claim(low: float, high: float | None, better: Literal["higher", "lower"]) -> Claim:
    return replace(PAPER.claim("alexnet"), low=low, high=high, better=better)


def measured(low: float, high: float, processes: int = 5) -> Estimate:
    """As `log_interval` makes it: the value is the ends' geometric mean."""
    return Estimate(value=math.sqrt(low * high), low=low, high=high, processes=processes, rounds=50)


intervals = st.tuples(figures, figures).map(lambda ends: measured(min(ends), max(ends)))


@given(bands, better, intervals)
def test_the_outcome_says_where_the_interval_lies(
    band: tuple[float, float | None], better: Literal["higher", "lower"], interval: Estimate
) -> None:
    low, high = interval.low or 0.0, interval.high or 0.0
    top = math.inf if band[1] is None else band[1]
    outcome, reason = judge(a_claim(*band, better), interval)
    inside = band[0] <= low and high <= top
    above, below = low > top, high < band[0]
    good, bad = (above, below) if better == "higher" else (below, above)
    assert {
        "supported": inside,
        "exceeded": good,
        "contradicted": bad,
        "inconclusive": not (inside or good or bad),
    }[outcome]
    assert "\n" not in reason


@given(figures, intervals)
def test_an_open_band_has_nothing_above_it(low: float, interval: Estimate) -> None:
    assert judge(a_claim(low, None, "higher"), interval)[0] != "exceeded"


@given(figures, figures, better, intervals)
def test_the_reciprocal_is_judged_alike(
    one: float, other: float, better: Literal["higher", "lower"], interval: Estimate
) -> None:
    # A / B or B / A: the same claim, told from the other end.
    low, high = min(one, other), max(one, other)
    assume(low < high)
    assume(interval.low and interval.high)
    ends = (low, high, interval.low, interval.high)
    assume(not any(math.isclose(a or 0, b or 0, rel_tol=1e-9) for a in ends[:2] for b in ends[2:]))
    turned = measured(1 / (interval.high or 1), 1 / (interval.low or 1))
    other_side: Literal["higher", "lower"] = "lower" if better == "higher" else "higher"
    straight = judge(a_claim(low, high, better), interval)[0]
    assert judge(a_claim(1 / high, 1 / low, other_side), turned)[0] == straight


@pytest.mark.parametrize(
    ("low", "high", "outcome", "reason"),
    [
        (12.5, 13.5, "supported", "the interval 12.50 to 13.50 lies inside the band 12.1 to 14"),
        (12.1, 14.0, "supported", "lies inside"),
        (15.0, 16.0, "exceeded", "lies wholly above the band 12.1 to 14"),
        (8.0, 9.0, "contradicted", "lies wholly below the band 12.1 to 14"),
        (13.2, 14.4, "inconclusive", "holds the band's edge 14: some "),
        (8.0, 13.0, "inconclusive", "holds the band's edge 12.1: some "),
        (5.0, 30.0, "inconclusive", "holds the band's edge 12.1: "),
    ],
)
def test_alexnet_s_band(low: float, high: float, outcome: str, reason: str) -> None:
    found, why = judge(PAPER.claim("alexnet"), measured(low, high))
    assert found == outcome
    assert reason in why


def test_an_open_band_is_named_by_its_one_end() -> None:
    assert judge(PAPER.claim("groups"), measured(1.1, 9.0)) == (
        "supported",
        "the interval 1.10 to 9.00 lies inside the band above 1",
    )
    assert judge(PAPER.claim("groups"), measured(0.5, 0.9))[0] == "contradicted"


def test_one_process_settles_nothing_and_what_would_is_said() -> None:
    alone = Estimate(value=13.0, low=None, high=None, processes=1, rounds=10)
    outcome, reason = judge(PAPER.claim("alexnet"), alone)
    assert (outcome, reason) == (
        "inconclusive",
        "one process gives no interval: measure at least two",
    )


@given(intervals, st.integers(2, 50))
def test_as_many_processes_as_are_advised_move_the_interval_off_the_edge(
    interval: Estimate, processes: int
) -> None:
    outcome, reason = judge(PAPER.claim("alexnet"), replace(interval, processes=processes))
    advised = re.search(r"some (\d+) processes", reason)
    assume(outcome == "inconclusive" and advised and interval.low and interval.high)
    assert advised
    more = int(advised[1])
    assert processes < more <= 101
    # The width falls with the root of their number.
    narrower = math.log((interval.high or 1) / interval.value) * math.sqrt(processes / more)
    settled = measured(
        interval.value * math.exp(-narrower), interval.value * math.exp(narrower), more
    )
    assert judge(PAPER.claim("alexnet"), settled)[0] != "inconclusive"


def test_on_the_edge_itself_no_number_of_processes_helps() -> None:
    _, reason = judge(PAPER.claim("groups"), measured(1 / 1.1, 1.1))
    assert "even 100 processes would not settle it" in reason


def of_alexnet(results: Results) -> Verdict:
    (block,) = (block for block in results.blocks if block.claim == "alexnet")
    return verdict(results, block, PAPER, setting_of(results.models[block.members[0]], 1))


@pytest.fixture
def models(make_model: MakeModel) -> Sequence[Model]:
    return (
        make_model("shufflenet-v1", 0.5, multiply_adds=40),
        make_model("alexnet", multiply_adds=720),
    )


def test_a_verdict_stands_beside_the_paper_and_theory(
    models: Sequence[Model], make_results: MakeResults
) -> None:
    results = make_results(
        *models, times=lambda process, number, member: (1 + process / 1000, 12.6)[member]
    )
    found = of_alexnet(results)
    assert (found.claim, found.block) == ("alexnet", "alexnet: onnx, 224x224 fp32, 1 thread")
    assert found.outcome == "supported"
    assert found.measured
    assert found.measured.value == pytest.approx(12.6 / 1.002, rel=1e-4)
    assert (found.low, found.high) == (12.1, 14.0)
    assert found.paper_table == pytest.approx(184.0 / 15.2)
    assert found.theoretical == 18
    assert found.share == pytest.approx(found.measured.value / 18)


def test_at_a_size_that_the_paper_s_table_lacks_nothing_of_it_is_shown(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    models = [
        make_model("shufflenet-v1-se", 2.0, input_size=(224, 224)),
        make_model("shufflenet-v1", 2.0, input_size=(224, 224)),
    ]
    results = make_results(*models)
    (block,) = (block for block in results.blocks if block.claim == "se")
    assert verdict(results, block, PAPER, setting_of(models[0], 1)).paper_table is None


def inconclusive(results: Results) -> str:
    found = of_alexnet(results)
    assert found.outcome == "inconclusive"
    return found.reason


def test_what_was_not_measured_yet_is_inconclusive(
    models: Sequence[Model], make_results: MakeResults
) -> None:
    assert "--resume" in inconclusive(make_results(*models, processes=0))


def test_a_model_that_did_not_fit_is_the_reason(
    models: Sequence[Model], make_results: MakeResults
) -> None:
    half, alexnet = models
    results = make_results(half, alexnet)
    skipped = replace(results, models=(half, replace(alexnet, skipped="it needs 900 MB")), runs=())
    assert inconclusive(skipped) == "not measured: it needs 900 MB"


def test_models_that_do_not_fit_together_are_the_reason(
    models: Sequence[Model], make_results: MakeResults
) -> None:
    results = make_results(*models, processes=0)
    blocks = tuple(replace(block, skipped="both need 900 MB") for block in results.blocks)
    assert inconclusive(replace(results, blocks=blocks)) == "not measured: both need 900 MB"


def test_a_device_without_latency_decides_nothing(
    models: Sequence[Model], make_results: MakeResults
) -> None:
    results = make_results(*models, processes=0)
    emulated = replace(
        results,
        target=replace(results.target, latency=False),
        runs=tuple(a_check(block) for block in results.blocks),
    )
    assert "no latency" in inconclusive(emulated)
    assert of_alexnet(emulated).measured is None


def a_check(block: Block) -> Checked:
    return Checked(
        block=block.id,
        process=0,
        models=tuple(CheckedModel(member=member, difference=0.0) for member in block.members),
    )
