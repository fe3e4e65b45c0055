"""Where caches and settings lie, with and without a home folder."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shufflenet_deploy.bench import folders
from shufflenet_deploy.bench.folders import NAME, cache_folder, config_folder


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that all can write to, where there is no home."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folders._private.cache_clear()
    yield tmp_path
    folders._private.cache_clear()


def test_the_users_own_choice_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "s"))
    assert cache_folder() == tmp_path / "c" / NAME
    assert config_folder() == tmp_path / "s" / NAME


def test_a_relative_choice_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert cache_folder() == tmp_path / ".cache" / NAME


def test_without_a_home_the_cache_is_private(shared: Path) -> None:
    assert config_folder() is None
    folder = cache_folder()
    assert folder.parent == shared
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folders._private.cache_clear()
    assert cache_folder() == folder  # and the same next time


@pytest.mark.parametrize("planted", ["link", "open"])
def test_what_another_may_write_to_is_not_taken(planted: str, shared: Path) -> None:
    there = shared / f"{NAME}-{os.getuid()}"
    if planted == "link":
        (shared / "elsewhere").mkdir(mode=0o700)
        there.symlink_to("elsewhere")
    else:
        there.mkdir()
        there.chmod(0o777)
    folder = cache_folder()
    assert folder != there
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache_folder() == folder
