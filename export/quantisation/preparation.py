"""From a float graph to the one that is quantised: the way through this folder.

What there is to choose is chosen by the images that calibration held out, never by those it saw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.progress import progress
from shufflenet_deploy.export.quantisation.equalisation import equalise, factors_for
from shufflenet_deploy.export.quantisation.fitting import fit, round_to_nearest
from shufflenet_deploy.export.quantisation.ranges import Rule, ranges, trained_ranges
from shufflenet_deploy.export.quantisation.simulation import rounding, simulate
from shufflenet_deploy.export.quantisation.statistics import Advance, Images, collect
from shufflenet_deploy.models.quantisation import PERCENTILE, Range, Ranges
from shufflenet_deploy.runtime.decibels import sqnr_db
from shufflenet_deploy.runtime.seeded import Floats

RULES = (Rule(PERCENTILE), Rule())
"""Ranges that were best on one network or another; the first is taken where nothing is chosen."""

EXPONENTS = (0.5, 1.0, 0.0)
"""How far channels are widened, likewise."""

CHOSEN_BY = 32
"""How many of the held-out images the ways to quantise are tried on: the SQNR of the logits tells
them apart on a few."""

TRAINED = "trained"
"""What stands for a rule where ranges were trained."""

NEAREST = "nearest"
LEAST_ERROR = "least error"

Report = Callable[[str], None]
"""A function that takes a line that says what is being done."""


@dataclass(frozen=True, eq=False)
class Preparation:
    """A graph whose weights lie on the grid of 8 bits, and what was chosen on the way to it."""

    graph: Graph
    exact: Graph
    """The same with weights in float."""
    ranges: Ranges
    """Of each of the graph's values."""
    rule: str
    """What the ranges cover, as a manifest has it."""
    exponent: float
    """How far channels were widened, see `factors_for`."""
    rounding: str
    """`NEAREST` or `LEAST_ERROR`."""


def prepare_trained(graph: Graph, ranges: Mapping[str, Range], pixels: Range) -> Preparation:
    """`graph` with the `ranges` that it was trained with: its weights lie on their steps."""
    known = trained_ranges(graph, ranges, pixels)
    return Preparation(round_to_nearest(graph), graph, known, TRAINED, 0.0, NEAREST)


def prepare(
    graph: Graph,
    images: Images,
    held_out: Images,
    pixels: Range,
    *,
    chooses: bool,
    report: Report,
) -> Preparation:
    """`graph` made ready for 8 bits on `images`.

    `pixels` is the range of its input. Where it `chooses`, ranges, equalisation and rounding are
    those of the highest SQNR on `held_out`; else the first of each.
    """
    report(f"calibrating on {len(images)} images")
    with progress("calibrating", len(images)) as advance:
        statistics = collect(graph, images, advance)

    def widened(rule: Rule, exponent: float) -> Preparation:
        factors = factors_for(graph, statistics, exponent)
        equal = equalise(graph, factors)
        limits = ranges(equal, statistics, rule, pixels, factors)
        return Preparation(equal, equal, limits, str(rule), exponent, NEAREST)

    chosen = widened(RULES[0], EXPONENTS[0])
    if not chooses:
        return _fitted(chosen, images)
    held_out = [held_out[index] for index in range(min(len(held_out), CHOSEN_BY))]
    report(f"choosing among ways to quantise by {len(held_out)} held-out images")
    with progress("choosing", len(RULES) + len(EXPONENTS)) as advance:
        trial = _Trial(simulate(graph, held_out), held_out, advance)
        others = {rule: widened(rule, EXPONENTS[0]) for rule in RULES[1:]}
        chosen = trial.best([chosen, *others.values()])
        rule = next((rule for rule, other in others.items() if other is chosen), RULES[0])
        chosen = trial.best([chosen, *(widened(rule, each) for each in EXPONENTS[1:])])
        rough = replace(chosen, graph=round_to_nearest(chosen.graph))
        return trial.best([_fitted(chosen, images), rough])


def _fitted(prepared: Preparation, images: Images) -> Preparation:
    with progress("rounding weights", len(prepared.graph.nodes)) as advance:
        graph = fit(prepared.graph, images, prepared.ranges, advance)
    return replace(prepared, graph=graph, rounding=LEAST_ERROR)


class _Trial:
    """Compares candidates by their simulation on the held-out images; none is simulated twice."""

    def __init__(self, exact: Floats, held_out: Images, advance: Advance) -> None:
        self._exact = exact
        self._held_out = held_out
        self._advance = advance
        self._known: dict[int, float] = {}

    def best(self, candidates: list[Preparation]) -> Preparation:
        """The one of the highest SQNR; of equals the first."""
        return max(candidates, key=self._decibels)

    def _decibels(self, candidate: Preparation) -> float:
        key = id(candidate.graph)
        if key not in self._known:
            see = rounding(candidate.graph, candidate.ranges)
            logits = simulate(candidate.graph, self._held_out, see)
            self._known[key] = sqnr_db(self._exact, logits)
            self._advance(1)
        return self._known[key]
