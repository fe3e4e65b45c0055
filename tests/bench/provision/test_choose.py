"""Which way to a device is taken, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from host_cache import shared_bundle, use_shared_cache
from shufflenet_deploy.bench.provision import Installation, Survey, Way
from shufflenet_deploy.bench.provision.choose import install_for
from shufflenet_deploy.runtime.errors import BenchError

PI = Survey(
    machine="aarch64",
    kernel="6.6.31+rpt-rpi-v8",
    clock=1_800_000_000,
    free_bytes=10**10,
    python="/usr/bin/python3",
    python_version=(3, 11),
    python_bits=64,
    libc=("glibc", 2, 36),
    has_venv=True,
)


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that has, or can fetch, all packages."""
    shared_bundle("litert")
    use_shared_cache(monkeypatch)


@pytest.fixture
def poor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with an empty cache, on which neither apt nor pip finds anything."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def choose(survey: Survey, way: Way | None = None) -> tuple[list[Installation], list[str]]:
    told: list[str] = []
    return list(install_for(survey, way, ("litert",), told.append)), told


def refusal(survey: Survey, way: Way | None = None) -> BenchError:
    with pytest.raises(BenchError) as refused:
        choose(survey, way)
    return refused.value


@pytest.mark.network
@pytest.mark.usefixtures("ready")
def test_a_pi_gets_a_venv_first_and_a_bundle_where_that_does_not_start() -> None:
    (venv, bundle), told = choose(PI)
    assert (venv.way, venv.python, venv.reason) == (
        "venv",
        "/usr/bin/python3",
        "on its own Python 3.11",
    )
    assert (bundle.way, bundle.python) == ("bundle", None)
    assert told == []
    titles = [part.title.split(" ")[0] for part in venv.parts]
    assert titles == ["shufflenet-deploy", "numpy", "ai-edge-litert"]
    # One C library and one Python: the very same parts serve both ways.
    assert bundle.parts[1:] == venv.parts


@pytest.mark.network
@pytest.mark.usefixtures("ready")
def test_one_way_may_be_asked_for() -> None:
    assert [one.way for one in choose(PI, "bundle")[0]] == ["bundle"]
    assert [one.way for one in choose(PI, "venv")[0]] == ["venv"]


@pytest.mark.network
@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"python": None, "python_version": None}, "it has no Python 3.11 to 3.14"),
        ({"python_bits": 32}, "its Python 3.11 is a 32-bit one"),
        ({"machine": "armv8l"}, "there are no wheels for armv8l"),
        ({"has_venv": False}, "its Python 3.11 lacks the module venv"),
        ({"libc": None}, "the C library of its Python 3.11 is not glibc"),
        (
            {"libc": ("glibc", 2, 26)},
            "there is no wheel of ai-edge-litert>=2.3 for Python 3.11 on aarch64 with glibc 2.26",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_where_no_venv_can_be_it_is_told_and_the_bundle_serves(
    change: dict[str, Any], why: str
) -> None:
    (only,), told = choose(msgspec.structs.replace(PI, **change))
    assert only.way == "bundle"
    assert told == [f"no venv for the device: {why}"]


def test_a_venv_that_cannot_be_is_refused_where_it_was_asked_for() -> None:
    error = refusal(msgspec.structs.replace(PI, has_venv=False), "venv")
    assert error.usage
    assert str(error) == "--provision venv cannot be; venv: its Python 3.11 lacks the module venv"


def test_a_pc_without_python_gets_nothing() -> None:
    error = refusal(msgspec.structs.replace(PI, machine="x86_64", python=None))
    assert not error.usage
    assert str(error) == (
        "nothing fits the device; venv: it has no Python 3.11 to 3.14; "
        "bundle: it is for ARM64, and the device is x86_64"
    )


@pytest.mark.usefixtures("poor")
def test_a_host_without_apt_says_where_the_bundle_can_be_made(tmp_path: Path) -> None:
    error = refusal(PI, "bundle")
    folder = tmp_path / "shufflenet-deploy/host"
    assert str(error) == (
        "--provision bundle cannot be; bundle: there is no apt-get here: the bundle is made of "
        "Debian's packages, on Debian or Ubuntu (a container will do); elsewhere copy the folder "
        f"{folder} from such a host"
    )


@pytest.mark.usefixtures("poor")
def test_nothing_is_prepared_before_it_is_asked_for() -> None:
    ways: Iterator[Installation] = install_for(PI, None, ("litert",), print)
    assert iter(ways) is ways  # although this host could prepare neither
