"""What a release tells of itself; `make release-check` tries the rest of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from release import notes, project

ROOT = Path(__file__).parents[2]
CHANGELOG = """\
# Changelog

## [Unreleased]

- not yet

## [1.2.0] - 2026-11-27

### Added

- this

## [1.1.0] - 2026-01-01

- that
"""


def test_notes_are_the_section_of_the_version() -> None:
    assert notes("1.2.0", CHANGELOG) == "### Added\n\n- this"
    assert notes("1.1.0", CHANGELOG) == "- that"


@pytest.mark.parametrize("version", ["1.3.0", "1.2", "Unreleased", "1.2.0 "])
def test_a_version_without_a_section_is_no_release(version: str) -> None:
    with pytest.raises(ValueError, match="has no section"):
        notes(version, CHANGELOG)


def test_a_tag_of_another_version_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tests/support/release.py", "--tag", "v0.0.0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        f"error: pyproject.toml has version {project()['version']}, and the tag is v0.0.0\n"
    )
