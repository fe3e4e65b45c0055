"""The paper's claims judged: which side of its band a statistic's interval lies on."""

from __future__ import annotations

import math

from shufflenet_deploy.bench.analysis.estimates import claimed
from shufflenet_deploy.bench.analysis.summary import Estimate, Outcome, Setting, Verdict
from shufflenet_deploy.bench.analysis.wording import band, span
from shufflenet_deploy.bench.paper.claims import Claim, Paper
from shufflenet_deploy.bench.results import Block, Results


def judge(claim: Claim, measured: Estimate) -> tuple[Outcome, str]:
    """The outcome, and one sentence that says what lies where.

    Inconclusive is what a band's edge passes through, and what has no interval: the sentence then
    says what would settle it.
    """
    low, high = measured.low, measured.high
    if low is None or high is None:
        return "inconclusive", "one process gives no interval: measure at least two"
    top = math.inf if claim.high is None else claim.high
    interval, holds = span(low, high, 2), band(claim.low, claim.high)
    if claim.low <= low and high <= top:
        return "supported", f"the interval {interval} lies inside the band {holds}"
    if low > top or high < claim.low:
        above = low > top
        side = "above" if above else "below"
        better = above == (claim.better == "higher")
        return (
            "exceeded" if better else "contradicted",
            f"the interval {interval} lies wholly {side} the band {holds}",
        )
    crossed = [edge for edge in (claim.low, top) if low <= edge <= high]
    edge = min(crossed, key=lambda crossing: abs(math.log(measured.value / crossing)))
    return "inconclusive", f"the interval {interval} holds the band's edge {edge:g}: " + _remedy(
        measured, edge
    )


def verdict(results: Results, block: Block, paper: Paper, setting: Setting) -> Verdict:
    """Judge the claim of `block`, which must have one."""
    assert block.claim is not None
    claim = paper.claim(block.claim)
    measured = claimed(results, block, paper)
    missing = _missing(results, block)
    outcome: Outcome = "inconclusive"
    if not results.target.latency:
        reason = "the time of an emulated processor is no latency: measure on a device"
    elif measured is None:
        reason = missing or "not measured yet: go on with --resume"
    else:
        outcome, reason = judge(claim, measured)
    theoretical = _theoretical(results, block, claim, paper)
    size = setting.input_size
    return Verdict(
        claim=claim.id,
        block=block.id,
        setting=setting,
        outcome=outcome,
        reason=reason,
        measured=measured,
        low=claim.low,
        high=claim.high,
        paper_table=paper.table_value(claim, size) if size else None,
        theoretical=theoretical,
        share=_share(claim, measured, theoretical) if measured and theoretical else None,
    )


def _share(claim: Claim, measured: Estimate, theoretical: float) -> float:
    """Of the gain that multiply-adds promise: of a time that should be low, the other way round."""
    reached = measured.value / theoretical
    return reached if claim.better == "higher" else 1 / reached


def _remedy(measured: Estimate, edge: float) -> str:
    """How many processes would move the interval off `edge`, if its middle stays where it is.

    The width falls with the root of their number.
    """
    assert measured.low is not None
    assert measured.high is not None
    half = math.log(measured.high / measured.low) / 2
    distance = abs(math.log(measured.value / edge))
    processes = measured.processes * (half / distance) ** 2 if distance else math.inf
    if processes > 100:
        return "it lies so close to the edge that even 100 processes would not settle it"
    return f"some {math.ceil(processes) + 1} processes (--processes) would settle it"


def _missing(results: Results, block: Block) -> str | None:
    if block.skipped:
        return f"not measured: {block.skipped}"
    reasons = [results.models[member].skipped for member in block.members]
    return next((f"not measured: {reason}" for reason in reasons if reason), None)


def _theoretical(results: Results, block: Block, claim: Claim, paper: Paper) -> float | None:
    counts = [results.models[member].multiply_adds for member in block.members]
    known = [float(count) for count in counts if count]
    return paper.theoretical(claim, known) if len(known) == len(counts) else None
