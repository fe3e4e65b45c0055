from __future__ import annotations

import stat
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from shufflenet_deploy.bench.emulation.qemu import Qemu, compile_plugin, find_qemu, plugin
from shufflenet_deploy.runtime.errors import BenchError

SOURCE = files("shufflenet_deploy.bench.emulation").joinpath("plugin.c").read_text()
OPTION = "-DQEMU_PLUGIN_VERSION=1"


@pytest.fixture(autouse=True)
def _found_anew() -> Iterator[None]:
    find_qemu.cache_clear()
    yield
    find_qemu.cache_clear()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(stat.S_IRWXU)


def test_without_qemu_the_package_is_named(programs: Path) -> None:
    with pytest.raises(BenchError, match=r"not on PATH: apt-get install qemu-user$"):
        find_qemu()


def test_the_one_with_plugins_is_taken_before_the_static_one(programs: Path) -> None:
    version = 'echo "qemu-aarch64 version 10.0.2 (Debian 1:10.0.2)"'
    put(programs, "qemu-aarch64-static", version)
    assert find_qemu() == Qemu(str(programs / "qemu-aarch64-static"), "10.0.2", has_plugins=False)
    put(programs, "qemu-aarch64", version + '; echo "-plugin  QEMU_PLUGIN"')
    find_qemu.cache_clear()
    assert find_qemu() == Qemu(str(programs / "qemu-aarch64"), "10.0.2", has_plugins=True)


def test_one_that_is_broken_is_named(programs: Path) -> None:
    put(programs, "qemu-aarch64", "echo nothing")
    with pytest.raises(BenchError, match="does not say its version"):
        find_qemu()


def test_one_without_plugins_cannot_count() -> None:
    with pytest.raises(BenchError, match="takes no plugins"):
        plugin(Qemu("/usr/bin/qemu-aarch64-static", "7.2.22", has_plugins=False))


def test_without_a_compiler_the_package_is_named(programs: Path) -> None:
    with pytest.raises(BenchError, match=r"needs a C compiler.*apt-get install gcc"):
        plugin(Qemu("/usr/bin/qemu-aarch64", "7.2.22", has_plugins=True))


def test_what_the_compiler_says_is_passed_on(programs: Path) -> None:
    put(programs, "cc", 'echo "plugin.c:1: fatal error: no inttypes.h" >&2; exit 1')
    with pytest.raises(BenchError, match=r"fatal error: no inttypes\.h") as raised:
        compile_plugin(SOURCE, programs / "plugin.so", OPTION)
    assert "\n" not in str(raised.value)


def test_it_is_made_once_for_an_interface_of_qemu(programs: Path) -> None:
    put(programs, "cc", f'echo called >> {programs}/log; for target; do :; done; : > "$target"')
    old, newer, newest = (
        plugin(Qemu("qemu", version, has_plugins=True)) for version in ("7.2.22", "9.0.0", "10.1.2")
    )
    assert plugin(Qemu("qemu", "8.1", has_plugins=True)) == old
    assert newer == newest != old
    assert (programs / "log").read_text() == "called\n" * 2


def test_a_failure_leaves_no_plugin_behind(programs: Path) -> None:
    put(programs, "cc", 'for target; do :; done; : > "$target"; exit 1')
    with pytest.raises(BenchError):
        plugin(Qemu("qemu", "7.2.22", has_plugins=True))
    assert not list((programs.parent / "cache").rglob("*.so"))
