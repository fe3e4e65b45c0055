"""Which rewrites each kind of artifact gets, in which order: a table that refactoring keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from shufflenet_deploy.export import formats
from shufflenet_deploy.export.capture.capture import capture
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.request import PRECISIONS, TARGETS, Request
from shufflenet_deploy.models.networks import build, variant

VARIANT = variant("shufflenet-v1-se", 3, 0.25, (64, 64))
"""A network in which every rewrite finds something to do."""

FAST = {
    ("onnx", "float", ""): {
        "absorb_shuffle": 1,
        "shuffle_after_depthwise": 15,
        "relu_before_concatenation": 3,
        "shuffle_as_gather": 15,
        "squeeze_before_expansion": 16,
    },
    ("onnx", "int8", "arm64"): {
        "absorb_shuffle": 1,
        "shuffle_after_depthwise": 15,
        "relu_before_concatenation": 3,
        "average_pool_as_depthwise": 3,
        "shuffle_as_gather": 15,
        "pad_bottleneck_to_8": 16,
        "squeeze_before_expansion": 16,
    },
    ("onnx", "int8", "x86-64"): {
        "absorb_shuffle": 1,
        "shuffle_after_depthwise": 15,
        "relu_before_concatenation": 3,
        "average_pool_as_depthwise": 3,
        "shuffle_as_gather": 15,
        "pad_bottleneck_to_16": 16,
        "squeeze_before_expansion": 15,  # one bottleneck is then as wide as what it expands to
    },
    ("tflite", "any", ""): {
        "absorb_shuffle": 1,
        "shuffle_after_depthwise": 15,
        "relu_before_concatenation": 3,
        "average_pool_as_depthwise": 3,
        "max_pool_of_non_negative": 1,
        "squeeze_before_expansion": 16,
    },
}
"""Name -> places."""


def _expected(format_: str, precision: str, target: str, lowering: str) -> list[tuple[str, int]]:
    if lowering == "plain":
        is_needed = (format_, precision) == ("tflite", "int8")
        return [("max_pool_of_non_negative", 1)] if is_needed else []
    if format_ == "tflite":
        return list(FAST["tflite", "any", ""].items())
    if precision == "int8":
        return list(FAST["onnx", "int8", target].items())
    return list(FAST["onnx", "float", ""].items())


@pytest.fixture(scope="module")
def graph() -> Graph:
    return capture(build(VARIANT), VARIANT.input_size)


@pytest.mark.parametrize("lowering", ["fast", "plain"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_the_rewrites_of_every_kind_of_artifact(
    format_: str, precision: str, target: str, lowering: str, graph: Graph
) -> None:
    request = Request(
        network=VARIANT.network,
        formats=(format_,),
        precisions=(precision,),
        target=target,
        lowering=lowering,
        out=Path(),
    )
    (options,) = request.artifacts(VARIANT, "random")
    lowered = formats.lower(graph, options)
    expected = _expected(format_, precision, target, lowering)
    assert [(rewrite.name, rewrite.places) for rewrite in lowered.rewrites] == expected
