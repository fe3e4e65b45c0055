from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.bench.claims import load_paper
from shufflenet_deploy.bench.results import Model, Results
from shufflenet_deploy.bench.summary import ClaimSummary, Summary, summarise

PAPER = load_paper()
MakeModel = Callable[..., Model]
MakeResults = Callable[..., Results]


def of_claim(summary: Summary, claim: str, **setting: object) -> ClaimSummary:
    (found,) = (
        one
        for one in summary.claims
        if one.claim == claim
        and all(
            getattr(one, name, getattr(one.setting, name, None)) == value
            for name, value in setting.items()
        )
    )
    return found


def test_figures_of_one_model(make_model: MakeModel, make_results: MakeResults) -> None:
    # Medians of the rounds in ms: 2, 4, 3; their median 3, distances 1, 1, 0.
    rounds = {0: [9_000_000, 2_000_000, 1_000_000], 1: [4_000_000] * 3, 2: [3_000_000] * 3}
    (model,) = summarise(make_results(make_model("shufflenet-v1", 0.5, rounds)), PAPER).models
    assert model.latency_ms == 3
    assert model.spread_percent == pytest.approx(100 / 3)
    assert model.rounds == 3
    assert model.times_faster_than_alexnet is None
    assert model.paper_times_faster_than_alexnet == pytest.approx(184.0 / 15.2)


def test_ratios_are_paired_within_rounds(make_model: MakeModel, make_results: MakeResults) -> None:
    # The machine slows down five times; medians apart would give 20 / 3, not 10.
    half = make_model("shufflenet-v1", 0.5, {0: [1], 1: [3], 2: [5]})
    alexnet = make_model("alexnet", None, {0: [10], 1: [20], 2: [50]})
    summary = summarise(make_results(half, alexnet), PAPER)
    assert summary.models[0].times_faster_than_alexnet == 10
    assert summary.models[1].times_faster_than_alexnet == 1
    assert of_claim(summary, "alexnet").measured == 10
    assert of_claim(summary, "fourfold").measured is None


@given(exponent=st.floats(0.3, 1.2), drift=st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_a_power_law_gives_its_speedup_whatever_the_machine_does(
    make_model: MakeModel, make_results: MakeResults, exponent: float, drift: list[int]
) -> None:
    models = [
        make_model(
            "shufflenet-v1",
            scale,
            {n: [round(slow * 1e6 * work**exponent)] for n, slow in enumerate(drift)},
            multiply_adds=work,
        )
        for scale, work in ((0.5, 38_000_000), (1.0, 137_000_000), (2.0, 524_000_000))
    ]
    measured = of_claim(summarise(make_results(*models), PAPER), "fourfold").measured
    assert measured == pytest.approx(4**exponent, rel=1e-6)


def test_what_was_not_measured_has_no_figures(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    # Interrupted before any round: only what was measured alone is there.
    summary = summarise(make_results(make_model("alexnet"), make_model("resnet")), PAPER)
    assert [model.latency_ms for model in summary.models] == [None, None]
    assert [model.rounds for model in summary.models] == [0, 0]
    assert [model.paper_times_faster_than_alexnet for model in summary.models] == [1, None]
    assert all(claim.measured is None for claim in summary.claims)


def test_no_results_have_an_empty_summary(make_results: MakeResults) -> None:
    assert summarise(make_results(), PAPER) == Summary(models=(), claims=())


@pytest.mark.parametrize(
    "other",
    [
        {"format": "tflite"},
        {"input_size": (480, 640)},
        {"precision": "int8"},
        {"lowering": "plain"},
    ],
    ids=str,
)
def test_only_equal_settings_are_compared(
    make_model: MakeModel, make_results: MakeResults, other: dict[str, object]
) -> None:
    half = make_model("shufflenet-v1", 0.5, {0: [1]})
    alexnet = make_model("alexnet", None, {0: [10]}, **other)
    summary = summarise(make_results(half, alexnet), PAPER)
    assert summary.models[0].times_faster_than_alexnet is None
    assert all(claim.measured is None for claim in summary.claims)
    own = make_model("alexnet", None, {0: [30]})
    summary = summarise(make_results(half, alexnet, own), PAPER)
    assert summary.models[0].times_faster_than_alexnet == 30
    setting = {"format": "onnx", "input_size": (224, 224), "precision": "fp32", "lowering": "fast"}
    assert of_claim(summary, "alexnet", **setting).measured == 30


def test_the_paper_s_figure_is_of_the_same_size(
    make_model: MakeModel, make_results: MakeResults
) -> None:
    results = make_results(
        make_model("shufflenet-v1", 0.5, input_size=(480, 640)),
        make_model("shufflenet-v1", 0.5, input_size=(32, 32)),
    )
    large, small = summarise(results, PAPER).models
    assert large.paper_times_faster_than_alexnet == pytest.approx(1156.7 / 87.4)
    assert small.paper_times_faster_than_alexnet is None
