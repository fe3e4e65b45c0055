"""Packages, wheels and parts, kept for all runs of the tests: they are slow to make."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shufflenet_deploy.bench.provision import Part
from shufflenet_deploy.bench.provision.bundle import bundle_parts
from shufflenet_deploy.runtime.errors import BenchError


def shared_folder() -> Path:
    """Where tests keep what is slow to make: for all runs, and shared by all processes."""
    given = os.environ.get("SHUFFLENET_TEST_CACHE")
    folder = Path(given) if given else Path("~/.cache/shufflenet-deploy-tests").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def use_shared_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process, and those it starts, keep their packages there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_folder()))


def shared_bundle(*engines: str) -> tuple[Part, ...]:
    """The real bundle. Skips the test where it cannot be made, as without a network."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_shared_cache(monkeypatch)
        try:
            return bundle_parts(engines, lambda line: None)
        except BenchError as error:
            pytest.skip(f"no bundle: {error}")
