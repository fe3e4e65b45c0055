"""What the attacks take: an honest answer to make dishonest, and what a device needs."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import msgspec
import pytest

from cases import Bench
from host_cache import shared_folder, use_shared_cache
from hostile_device import DeviceNeeds
from shufflenet_deploy.bench.provision.bundle import package_parts
from shufflenet_deploy.bench.provision.wheels import Platform
from shufflenet_deploy.runtime.errors import BenchError


@pytest.fixture(scope="session")
def honest_answer(small_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a worker answers that measured `small_onnx` in four rounds."""
    bench = Bench.in_folder(tmp_path_factory.mktemp("honest"))
    said = bench.work(msgspec.json.encode({"artifacts": [str(small_onnx)], "rounds": 4}))
    said.require_success()
    return said.stdout


@pytest.fixture(scope="session")
def device_needs(tmp_path_factory: pytest.TempPathFactory) -> DeviceNeeds:
    """A cache with all that a device like this machine is given.

    Skips the test where that cannot be had, as without a network.
    """
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    name, _, version = libc.partition(" ")
    if name != "glibc":
        pytest.skip(f"no wheels for the C library {libc!r}")
    major, minor = version.split(".")[:2]
    own = Platform(sys.version_info[:2], platform.machine(), (int(major), int(minor)))
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_shared_cache(monkeypatch)
        try:
            package_parts(own, ("onnx",), lambda line: None)
        except BenchError as error:
            pytest.skip(f"no parts for a device: {error}")
    return DeviceNeeds(shared_folder(), tmp_path_factory.mktemp("parts"))
