"""Each rewrite is exact on whatever graph, alone and with the others of its format."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from generated_graphs import graphs, units
from rewriting import assert_equal, start
from shufflenet_deploy.export.formats import EMITTERS, emitter_for, lower
from shufflenet_deploy.export.graph.graph import Graph
from shufflenet_deploy.export.graph.operators import Add, Shuffle
from shufflenet_deploy.export.request import LOWERINGS, PRECISIONS, TARGETS, Request
from shufflenet_deploy.export.rewrites import REWRITES
from shufflenet_deploy.models.networks import variant
from shufflenet_deploy.runtime.options import Options

VARIANT = variant("shufflenet-v1")


@pytest.mark.parametrize("rewrite", REWRITES)
@given(graph=graphs())
def test_each_rewrite_is_exact_on_any_graph(rewrite: str, graph: Graph) -> None:
    assert_equal(graph, REWRITES[rewrite](graph)[0])


@pytest.mark.parametrize("rewrite", REWRITES)
@given(graph=units())
def test_each_rewrite_is_exact_on_shufflenet_units(rewrite: str, graph: Graph) -> None:
    assert_equal(graph, REWRITES[rewrite](graph)[0])


ARTIFACTS = {
    options.file_name: options
    for target in TARGETS
    for lowering in LOWERINGS
    for options in Request(
        precisions=PRECISIONS, target=target, lowering=lowering, out=Path()
    ).artifacts(VARIANT, "random")
}


@pytest.mark.parametrize("options", ARTIFACTS.values(), ids=ARTIFACTS)
@given(graph=units())
def test_all_rewrites_of_an_artifact_together_are_exact(options: Options, graph: Graph) -> None:
    assert_equal(graph, lower(graph, options).graph)


@pytest.mark.parametrize("format_", EMITTERS)
def test_formats_name_rewrites_that_there_are(format_: str) -> None:
    assert emitter_for(format_).lowering.keys() <= REWRITES.keys()


def test_a_bottleneck_is_widened_although_a_mean_reads_it_afterwards() -> None:
    building = start()
    source = building.convolution(12)
    building.convolution(6, groups=2)
    building.add(Shuffle(2))
    building.depthwise()
    building.convolution(12, groups=2)
    building.add(Add(), building.squeeze_excitation(2), source)
    asked = Request(formats=("onnx",), precisions=("int8",), out=Path())
    (options,) = asked.artifacts(VARIANT, "random")
    lowered = lower(building.graph(), options)
    places = {rewrite.name: rewrite.places for rewrite in lowered.rewrites}
    assert places["pad_bottleneck_to_8"] == places["squeeze_before_expansion"] == 1
    assert_equal(building.graph(), lowered.graph)
