"""Artifacts to be judged."""

from __future__ import annotations

import pytest

from digit_artifacts import Digits


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    """Of each kind one that recognises digits."""
    return Digits(tmp_path_factory.mktemp("digits"))
