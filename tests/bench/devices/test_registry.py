from __future__ import annotations

import pytest

from shufflenet_deploy.bench import BenchError
from shufflenet_deploy.bench.devices import DEVICES, open_device


@pytest.mark.parametrize("kind", DEVICES)
def test_a_device_bears_the_name_of_its_kind(kind: str) -> None:
    assert open_device(kind).kind == kind


def test_an_unknown_device_is_wrong_usage_and_the_known_are_named() -> None:
    with pytest.raises(BenchError, match="unknown device 'toaster': choose from local") as caught:
        open_device("toaster")
    assert caught.value.usage
