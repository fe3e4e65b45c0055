"""The versions of Python that this runs on, wherever they stand."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from shufflenet_deploy.bench.provision import PYTHON_RANGE, PYTHON_VERSIONS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_those_that_a_device_may_have_are_the_projects_own() -> None:
    supported = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" for minor in range(30) if f"3.{minor}" in supported] == [*PYTHON_VERSIONS]


def test_each_is_a_classifier() -> None:
    prefix = "Programming Language :: Python :: 3."
    classifiers = [line for line in PROJECT["classifiers"] if line.startswith(prefix)]
    assert [line.split(" :: ")[-1] for line in classifiers] == [*PYTHON_VERSIONS]


@pytest.mark.parametrize("name", ["README.md", "Makefile", ".ci/run", "docs/devices.md"])
def test_texts_tell_of_them(name: str) -> None:
    assert PYTHON_RANGE in (ROOT / name).read_text()


def test_make_checks_for_them() -> None:
    first, last = (
        version.replace(".", ", ") for version in (PYTHON_VERSIONS[0], PYTHON_VERSIONS[-1])
    )
    assert f"({first}) <= v <= ({last})" in (ROOT / "Makefile").read_text()
