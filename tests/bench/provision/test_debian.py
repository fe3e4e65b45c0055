"""Debian's packages for another architecture, by the real apt and dpkg."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from host_cache import shared_folder
from shufflenet_deploy.bench.provision.debian import fetch, unpack
from shufflenet_deploy.runtime.errors import BenchError

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("apt-get", "dpkg-deb", "tar"))), reason="needs Debian's apt and dpkg"
)


def package(folder: Path, name: str, links: dict[str, str]) -> Path:
    """A package with a file under /lib, and these links."""
    tree = folder / name
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: arm64\nMaintainer: nobody <nobody@invalid>\n"
        "Description: for a test\n"
    )
    (tree / "lib").mkdir()
    (tree / f"lib/{name}.so").write_text(name)
    for link, target in links.items():
        (tree / link).parent.mkdir(parents=True, exist_ok=True)
        (tree / link).symlink_to(target)
    deb = folder / f"{name}_1_arm64.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", tree, deb], check=True, capture_output=True
    )
    return deb


def test_unpacking_merges_usr_and_makes_links_relative(tmp_path: Path) -> None:
    deb = package(
        tmp_path,
        "some",
        {"usr/share/doc/abs": "/lib/some.so", "usr/rel": "../lib/some.so", "lib/out": "/etc/x"},
    )
    root = tmp_path / "root"
    unpack([deb, package(tmp_path, "other", {})], root)
    assert (root / "lib").readlink() == Path("usr/lib")
    assert (root / "usr/lib/some.so").read_text() == "some"
    assert (root / "lib/other.so").read_text() == "other"
    assert (root / "usr/share/doc/abs").readlink() == Path("../../../lib/some.so")
    assert (root / "usr/share/doc/abs").read_text() == "some"
    assert (root / "usr/rel").readlink() == Path("../lib/some.so")
    assert (root / "usr/lib/out").readlink() == Path("../../etc/x")


def test_a_broken_package_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.deb"
    broken.write_bytes(b"half")
    with pytest.raises(BenchError, match=r"cannot unpack .*broken\.deb"):
        unpack([broken], tmp_path / "root")


@pytest.fixture(scope="session")
def packages() -> Path:
    """A folder with a small package and all that it depends on."""
    folder = shared_folder() / "packages"
    try:
        fetch(["zlib1g"], folder)
    except BenchError as error:
        pytest.skip(f"no packages: {error}")
    return folder


@pytest.mark.network
def test_a_package_comes_with_what_it_needs(packages: Path) -> None:
    debs = fetch(["zlib1g"], packages)
    names = {deb.name.split("_")[0] for deb in debs}
    assert {"zlib1g", "libc6"} <= names
    assert all(deb.name.endswith(("_arm64.deb", "_all.deb")) for deb in debs)
    assert all(deb.stat().st_size > 0 for deb in debs)


@pytest.mark.network
def test_a_second_time_nothing_is_fetched(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A proxy that does not answer: whatever went to the network would fail.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert fetch(["zlib1g"], packages)


@pytest.mark.network
@pytest.mark.parametrize("damage", ["cut off", "altered"])
def test_a_package_that_was_damaged_is_fetched_anew(packages: Path, damage: str) -> None:
    (deb,) = [deb for deb in fetch(["zlib1g"], packages) if deb.name.startswith("zlib1g_")]
    whole = deb.read_bytes()
    deb.write_bytes(whole[:-100] if damage == "cut off" else b"?" + whole[1:])
    fetch(["zlib1g"], packages)
    assert deb.read_bytes() == whole


@pytest.mark.network
def test_an_unknown_package_is_named(packages: Path) -> None:
    with pytest.raises(BenchError, match="Unable to locate package no-such-package-1"):
        fetch(["no-such-package-1"], packages)


def test_without_a_network_that_is_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    configuration = tmp_path / "apt.conf"
    configuration.write_text('Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::Retries "0";\n')
    monkeypatch.setenv("APT_CONFIG", str(configuration))
    with pytest.raises(BenchError, match=r"apt cannot fetch packages for the device: .*Failed"):
        fetch(["zlib1g"], tmp_path / "packages")
