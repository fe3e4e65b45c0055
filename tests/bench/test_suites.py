from __future__ import annotations

import pytest

from shufflenet_deploy.bench import BenchError
from shufflenet_deploy.bench.__main__ import DEFAULT_SUITE
from shufflenet_deploy.bench.suites import Network, find_suite, load_suites


def test_quick_is_what_the_paper_s_ratios_need_in_both_formats() -> None:
    assert [options.file_name for options in find_suite("quick").options()] == [
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


def test_options_name_the_network_they_came_from() -> None:
    first = find_suite("quick").options()[0]
    assert Network.of(first) == Network(name="shufflenet-v1", groups=3, scale=0.5)


@pytest.mark.parametrize("name", load_suites())
def test_no_suite_holds_an_artifact_twice(name: str) -> None:
    options = find_suite(name).options()
    assert len({one.file_name for one in options}) == len(options) > 0


def test_an_unknown_suite_is_wrong_usage_and_the_known_are_named() -> None:
    with pytest.raises(BenchError, match="unknown suite 'quik': choose from quick") as caught:
        find_suite("quik")
    assert caught.value.usage


def test_the_default_is_a_suite() -> None:
    assert DEFAULT_SUITE in load_suites()
