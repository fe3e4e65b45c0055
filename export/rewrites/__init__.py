"""Exact rewrites: each maps a graph to an equal one that engines run faster.

"Equal" is meant in real arithmetic; tests prove each on generated graphs. What each is worth
was measured with ``make bench``; one that does not win on an engine is not done for it: each
format's ``LOWERING`` says which it has, see `lowering`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from shufflenet_deploy.export.graph.graph import Graph, Rewritten
from shufflenet_deploy.export.rewrites.bottleneck import pad_bottleneck
from shufflenet_deploy.export.rewrites.pooling import (
    average_pool_as_depthwise,
    max_pool_of_non_negative,
)
from shufflenet_deploy.export.rewrites.relu import relu_before_concatenation
from shufflenet_deploy.export.rewrites.shuffle import (
    absorb_shuffle,
    shuffle_after_depthwise,
    shuffle_as_gather,
)
from shufflenet_deploy.export.rewrites.squeeze import squeeze_before_expansion

REWRITES: dict[str, Callable[[Graph], Rewritten]] = {
    "absorb_shuffle": absorb_shuffle,
    "shuffle_after_depthwise": shuffle_after_depthwise,
    "relu_before_concatenation": relu_before_concatenation,
    "average_pool_as_depthwise": average_pool_as_depthwise,
    "max_pool_of_non_negative": max_pool_of_non_negative,
    "shuffle_as_gather": shuffle_as_gather,
    "pad_bottleneck_to_8": partial(pad_bottleneck, multiple=8),
    "pad_bottleneck_to_16": partial(pad_bottleneck, multiple=16),
    "squeeze_before_expansion": squeeze_before_expansion,
}
"""Every rewrite by the name that manifests have for it, in the order in which every format applies
them: a shuffle that can vanish must not move first, and a bottleneck is not widened once a mean
reads it too."""

KEEP_VALUES = frozenset(
    ("max_pool_of_non_negative", "shuffle_as_gather", "pad_bottleneck_to_8", "pad_bottleneck_to_16")
)
"""Those after which each value has the numbers that it had before under its name, channels of zeros
apart: what was learnt of a graph's values before them holds after them."""
