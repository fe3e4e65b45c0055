from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.bench.paper.claims import Claim, load_paper
from shufflenet_deploy.bench.paper.networks import Network

PAPER = load_paper()
SIZES = ((224, 224), (480, 640), (720, 1280))
HALF = Network(name="shufflenet-v1", groups=3, scale=0.5)
ALEXNET = Network(name="alexnet")
REFERENCE = Path(__file__).parents[4] / "shared/reference"

claims = pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)


def reference(name: str) -> list[dict[str, str]]:
    """The rows of a file that was copied from the paper independently of ours."""
    path = REFERENCE / name
    if not path.exists():  # shared/ lies beside a working copy and is no part of the project
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def test_table_8_gives_what_the_project_knows_of_it() -> None:
    ratios = [PAPER.table_value(PAPER.claim("alexnet"), size) for size in SIZES]
    assert ratios == pytest.approx([12.1, 13.2, 14.0], abs=0.05)
    slopes = [PAPER.table_value(PAPER.claim("fourfold"), size) for size in SIZES]
    assert slopes == pytest.approx([2.83, 2.81, 2.83], abs=0.005)
    mobilenet = [PAPER.table_value(PAPER.claim("mobilenet"), size) for size in SIZES]
    assert mobilenet == pytest.approx([0.989, 1.008, 0.989], abs=0.0005)


def test_a_point_is_work_and_time() -> None:
    assert PAPER.table.point(HALF, (480, 640)) == (38, 87.4)
    assert PAPER.table.point(ALEXNET, (720, 1280)) == (720, 3633.9)


def test_other_networks_and_sizes_are_not_in_the_table() -> None:
    assert PAPER.table.point(HALF, (640, 480)) is None
    assert PAPER.table.point(Network(name="shufflenet-v1", groups=8, scale=0.5), SIZES[0]) is None
    assert PAPER.table_value(PAPER.claim("alexnet"), (32, 32)) is None
    assert PAPER.table_value(PAPER.claim("se"), (224, 224)) is None


@claims
def test_where_the_paper_s_own_table_tells_it_lies_about_in_the_band(claim: Claim) -> None:
    top = float("inf") if claim.high is None else claim.high
    for size in claim.input_sizes:
        value = PAPER.table_value(claim, size)
        assert value is None or claim.low <= round(value, 1) <= top


@claims
def test_a_claim_is_whole(claim: Claim) -> None:
    assert claim.high is None or claim.low < claim.high
    assert len(set(claim.networks)) == len(claim.networks) >= 2
    assert set(claim.input_sizes) <= set(SIZES)
    assert (claim.statistic == "ratio") == (len(claim.networks) == 2)


def test_claims_have_ids_of_their_own() -> None:
    assert len({claim.id for claim in PAPER.claims}) == len(PAPER.claims) == 5


def test_theory_is_the_same_statistic_of_multiply_adds() -> None:
    # The paper rounds 720 / 38 = 18.9 down.
    assert PAPER.theoretical(PAPER.claim("alexnet"), [720, 38]) == pytest.approx(18.9, abs=0.05)
    assert PAPER.theoretical(PAPER.claim("fourfold"), [38, 140, 524]) == pytest.approx(4)


@given(exponent=st.floats(0.3, 1.2), factor=st.floats(1e-3, 1e3))
def test_a_power_law_gives_its_speedup(exponent: float, factor: float) -> None:
    points = [(work, factor * work**exponent) for work in (38.0, 137.0, 524.0)]
    value = PAPER.value(PAPER.claim("fourfold"), points)
    assert value == pytest.approx(4**exponent, rel=1e-9)


def test_the_rivals_of_g3_are_those_of_less_error() -> None:
    # In table 2 only g=8 is more accurate than g=3 at 1x: g = 3, 1, 2, 4, 8 in this order.
    claim = PAPER.claim("groups")
    assert [network.groups for network in claim.networks] == [3, 1, 2, 4, 8]
    assert PAPER.value(claim, [(1, 10), (1, 1), (1, 2), (1, 3), (1, 12)]) == pytest.approx(1.2)


def test_an_error_is_looked_up_by_its_network() -> None:
    error = PAPER.error(HALF)
    assert error
    assert (error.top1_error_percent, error.place) == (43.2, "table 2")
    assert PAPER.error(Network(name="resnet")) is None
    assert len({error.network for error in PAPER.errors}) == len(PAPER.errors)


def test_the_table_is_the_reference_file() -> None:
    rows = reference("paper_table8_latency_sd820_1thread_ms.csv")
    theirs = {
        (float(row["MFLOPs"]), *(float(row[f"ms_{h}x{w}"]) for h, w in SIZES)) for row in rows
    }
    ours = {(row.multiply_adds_m, *row.latency_ms.values()) for row in PAPER.table.rows}
    assert ours == theirs or not rows


def test_the_errors_are_the_reference_file() -> None:
    groups = (1, 2, 3, 4, 8)
    for row in reference("paper_table2_groups.csv"):
        scale = float(row["model"].removesuffix("x"))
        networks = [Network(name="shufflenet-v1", groups=g, scale=scale) for g in groups]
        errors = [error.top1_error_percent for one in networks if (error := PAPER.error(one))]
        assert errors == [float(row[f"g{g}"]) for g in groups]
    for row in reference("paper_table8_latency_sd820_1thread_ms.csv"):
        (network,) = (
            one.network
            for one in PAPER.table.rows
            if one.latency_ms["224x224"] == float(row["ms_224x224"])
        )
        error = PAPER.error(network)
        assert error
        assert error.top1_error_percent == float(row["err"])
