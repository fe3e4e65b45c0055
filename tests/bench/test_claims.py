from __future__ import annotations

import csv
from pathlib import Path

import pytest

from shufflenet_deploy.bench.claims import Claim, load_paper
from shufflenet_deploy.bench.suites import Network

PAPER = load_paper()
CLAIMS = {claim.id: claim for claim in PAPER.claims}
SIZES = ((224, 224), (480, 640), (720, 1280))
HALF = Network(name="shufflenet-v1", groups=3, scale=0.5)


def test_table_8_gives_what_the_project_knows_of_it() -> None:
    ratios = [PAPER.table_value(CLAIMS["alexnet"], size) for size in SIZES]
    assert ratios == pytest.approx([12.1, 13.2, 14.0], abs=0.05)
    slopes = [PAPER.table_value(CLAIMS["fourfold"], size) for size in SIZES]
    assert slopes == pytest.approx([2.83, 2.81, 2.83], abs=0.005)


def test_a_point_is_work_and_time() -> None:
    assert PAPER.table.point(HALF, (480, 640)) == (38, 87.4)
    assert PAPER.table.point(Network(name="alexnet"), (720, 1280)) == (720, 3633.9)


def test_other_networks_and_sizes_are_not_in_the_table() -> None:
    assert PAPER.table.point(HALF, (640, 480)) is None
    assert PAPER.table.point(Network(name="shufflenet-v1", groups=8, scale=0.5), SIZES[0]) is None
    assert PAPER.table_value(CLAIMS["alexnet"], (32, 32)) is None


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_every_claim_can_be_held_against_the_table(claim: Claim) -> None:
    values = [PAPER.table_value(claim, size) for size in SIZES]
    assert all(value and 0.8 * claim.says < value < claim.theoretical for value in values)


def test_theory_is_the_ratio_of_the_table_s_multiply_adds() -> None:
    # The paper rounds 720 / 38 = 18.9 down.
    work = {row.network: row.multiply_adds_m for row in PAPER.table.rows}
    assert work[Network(name="alexnet")] / work[HALF] == pytest.approx(18.9, abs=0.05)


def test_the_table_is_the_reference_file() -> None:
    path = Path(__file__).parents[3] / "shared/reference/paper_table8_latency_sd820_1thread_ms.csv"
    if not path.exists():  # shared/ lies beside a working copy and is no part of the project
        return
    with path.open() as file:
        reference = {
            (float(row["MFLOPs"]), *(float(row[f"ms_{h}x{w}"]) for h, w in SIZES))
            for row in csv.DictReader(file)
        }
    ours = {(row.multiply_adds_m, *row.latency_ms.values()) for row in PAPER.table.rows}
    assert ours == reference
