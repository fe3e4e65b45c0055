"""Which numbers 8 bits stand for: a range for each value of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import (
    Concatenate,
    Flatten,
    Gather,
    LocalResponseNorm,
    MaxPool,
    Operator,
    Shuffle,
    Slice,
)
from shufflenet_deploy.export.quantisation.statistics import Statistics, ValueStatistics
from shufflenet_deploy.models.quantisation import Range, Ranges, covering
from shufflenet_deploy.runtime.errors import ExportError


@dataclass(frozen=True)
class Rule:
    """How much of a value's numbers its range covers."""

    percentile: float | None = None
    """Percent of the numbers below the range's upper end, and above its lower one; None for all."""

    def __str__(self) -> str:
        """As a manifest has it."""
        return "extremes" if self.percentile is None else f"percentile {self.percentile:g}"


def passes_on(operator: Operator) -> bool:
    """Whether an operator's numbers are some of its input's, whose steps they then keep."""
    return isinstance(operator, Shuffle | Slice | Gather | MaxPool | Flatten)


def stays_float(operator: Operator) -> bool:
    """Whether no format computes it in 8 bits.

    The square and the power of local response normalisation need more range than 8 bits have, and
    between quantised layers they would cost more time than they save.
    """
    return isinstance(operator, LocalResponseNorm)


def ranges(
    graph: Graph,
    statistics: Statistics,
    rule: Rule,
    pixels: Range,
    factors: Mapping[str, NDArray[np.float64]] | None = None,
) -> Ranges:
    """Each value's range by `rule`; the graph's input has the range of all `pixels`.

    `factors` are what the channels of each value have been multiplied by since.

    The output keeps its extremes, since the largest logit is the answer. What goes into a
    concatenation alone has its range, as kernels want it, and what an operator passes on keeps
    what it had.
    """
    found = {graph.input: pixels}
    for node in graph:
        if passes_on(node.operator):
            found[node.name] = found[node.inputs[0]]
        else:
            cover = Rule() if node.name == graph.output else rule
            value = statistics[node.name]
            value = value if factors is None else value.scaled(factors[node.name])
            found[node.name] = _range(value, cover)
    for node in reversed(graph.nodes):
        if isinstance(node.operator, Concatenate):
            for name in node.inputs:
                if graph.sole_reader(name):
                    found[name] = found[node.name]
    return found


def trained_ranges(graph: Graph, known: Mapping[str, Range], pixels: Range) -> Ranges:
    """Each value's range, where those that a network was trained with are `known`.

    `pixels` is the range of the input. What an operator passes on, what goes into a concatenation
    alone and what normalises the input has that of its neighbour. Raises `ExportError` for a value
    of which nothing is known.
    """
    found = {**known, graph.input: pixels}
    for node in graph:
        if node.name not in found and node.inputs == (graph.input,):
            found[node.name] = known[graph.input]
        if passes_on(node.operator) and node.inputs[0] in found:
            found[node.name] = found[node.inputs[0]]
    for node in reversed(graph.nodes):
        if isinstance(node.operator, Concatenate) and node.name in found:
            for name in node.inputs:
                if graph.sole_reader(name):
                    found[name] = found[node.name]
    names = (graph.input, *(node.name for node in graph))
    if missing := [name for name in names if name not in found]:
        raise ExportError(
            f"the weights were trained with 8 bits and have no range for {missing[0]}: export the "
            "network from before that, with --calibration"
        )
    return {name: found[name] for name in names}


def _range(value: ValueStatistics, rule: Rule) -> Range:
    low, high = float(value.minima.min()), float(value.maxima.max())
    return covering(low, high, value.sample, rule.percentile)


def carried(ranges: Mapping[str, Range], links: Sequence[tuple[str, str]]) -> Ranges:
    """`ranges` with those of the values that an emitter inserted.

    `links` are pairs of values, of which the second is made of the first by an operator that
    leaves the numbers inside their range, in the order of the model. Each end without a range gets
    the other's.
    """
    known = dict(ranges)
    for source, made in links:
        if made not in known and source in known:
            known[made] = known[source]
    for source, made in reversed(links):
        if source not in known and made in known:
            known[source] = known[made]
    return known
