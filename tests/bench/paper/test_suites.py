from __future__ import annotations

import pytest

from shufflenet_deploy.bench.commands.measurement import DEFAULT_SUITE
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.paper.suites import find_suite, load_suites
from shufflenet_deploy.models.networks import NETWORKS
from shufflenet_deploy.runtime.errors import BenchError

PAPER = load_paper()


def networks(suite: str) -> set[str]:
    return {Network.of(options).label for options in find_suite(suite).options(PAPER)}


def test_quick_is_what_the_paper_s_ratios_need_in_both_formats() -> None:
    assert [options.file_name for options in find_suite("quick").options(PAPER)] == [
        f"{network}-224x224-fp32.{suffix}"
        for suffix in ("onnx", "tflite")
        for network in (
            "shufflenet-v1-g3-x0.5",
            "shufflenet-v1-g3-x1.0",
            "shufflenet-v1-g3-x2.0",
            "alexnet",
            "mobilenet-v1-x1.0",
        )
    ]


def test_claims_is_what_every_claim_needs_at_every_size_that_it_names() -> None:
    there = {
        (options.format, options.input_size, Network.of(options))
        for options in find_suite("claims").options(PAPER)
    }
    assert there == {
        (format_, size, network)
        for format_ in ("onnx", "tflite")
        for claim in PAPER.claims
        for size in claim.input_sizes
        for network in claim.networks
    }


def test_claims_measures_small_sizes_first() -> None:
    sizes = [options.input_size for options in find_suite("claims").options(PAPER)]
    half = len(sizes) // 2
    assert sizes[:half] == sizes[half:] == sorted(sizes[:half])


def test_variants_is_every_network_with_a_published_error() -> None:
    assert networks("variants") == {error.network.label for error in PAPER.errors}
    assert len(networks("variants")) == 23


@pytest.mark.parametrize("name", load_suites())
def test_no_suite_holds_an_artifact_twice(name: str) -> None:
    options = find_suite(name).options(PAPER)
    assert len({one.file_name for one in options}) == len(options) > 0


@pytest.mark.parametrize("name", load_suites())
def test_a_suite_holds_networks_that_can_be_exported(name: str) -> None:
    assert {options.network for options in find_suite(name).options(PAPER)} <= set(NETWORKS)


@pytest.mark.parametrize("name", load_suites())
def test_a_suite_names_claims_that_there_are(name: str) -> None:
    assert set(find_suite(name).claims) <= {claim.id for claim in PAPER.claims}


def test_an_unknown_suite_is_wrong_usage_and_the_known_are_named() -> None:
    with pytest.raises(BenchError, match="unknown suite 'quik': choose from quick") as caught:
        find_suite("quik")
    assert caught.value.usage


def test_the_default_is_a_suite() -> None:
    assert DEFAULT_SUITE in load_suites()
