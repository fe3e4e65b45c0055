"""The rewrites that ONNX Runtime runs faster."""

from __future__ import annotations

from shufflenet_deploy.export.rewrites.lowering import Lowering, Use

LOWERING: Lowering = {
    "absorb_shuffle": Use(),
    "shuffle_after_depthwise": Use(),
    "relu_before_concatenation": Use(),
    "average_pool_as_depthwise": Use(precisions=("int8",)),
    "shuffle_as_gather": Use(),
    # The multiples of channels that its int8 kernels want on each processor.
    "pad_bottleneck_to_8": Use(precisions=("int8",), targets=("arm64",)),
    "pad_bottleneck_to_16": Use(precisions=("int8",), targets=("x86-64",)),
    "squeeze_before_expansion": Use(),
}
