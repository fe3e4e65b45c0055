"""The rewrites that LiteRT's XNNPACK runs faster."""

from __future__ import annotations

from shufflenet_deploy.export.rewrites.lowering import Lowering, Use

LOWERING: Lowering = {
    "absorb_shuffle": Use(),
    "shuffle_after_depthwise": Use(),
    "relu_before_concatenation": Use(),
    "average_pool_as_depthwise": Use(),
    # Else the quantiser needs a mirrored edge, whose kernel is slow: no fair thing to compare with.
    "max_pool_of_non_negative": Use(plain=("int8",)),
    "squeeze_before_expansion": Use(),
}
