"""Parts and artifacts, brought to a real shell's folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shell_link import ShellLink
from shufflenet_deploy.bench.devices.link import ask, script
from shufflenet_deploy.bench.devices.store import Store
from shufflenet_deploy.bench.devices.survey import look
from shufflenet_deploy.bench.provision import Part
from shufflenet_deploy.bench.provision.parts import pack
from shufflenet_deploy.runtime.errors import BenchError
from small_disk import small_disk

HOUR = 3600.0


@pytest.fixture
def link(tmp_path: Path) -> ShellLink:
    return ShellLink(tmp_path / "it's; a $ROOT")


@pytest.fixture
def part(tmp_path: Path) -> Part:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin/run").write_text("#!/bin/sh\n")
    (tree / "a name; with 'all'").write_bytes(os.urandom(300_000))
    return pack(tree, "a part", tmp_path)


def store(link: ShellLink, told: list[str] | None = None) -> Store:
    return Store(link, look(link), (told if told is not None else []).append)


def test_a_part_arrives_whole_and_is_not_copied_again(link: ShellLink, part: Part) -> None:
    told: list[str] = []
    first = store(link, told)
    first.place(part)
    first.place(part)
    store(link, told).place(part)
    assert told == ["copying a part to the board: 0.3 MB"]
    (there,) = (link.root / "parts").iterdir()
    assert there.name == part.key
    assert {path.name for path in there.iterdir()} == {"bin", "a name; with 'all'"}
    assert os.access(there / "bin/run", os.X_OK)
    assert there.stat().st_mode & 0o077 == 0


def test_an_archive_that_ends_too_soon_leaves_nothing(link: ShellLink, part: Part) -> None:
    content = part.archive.read_bytes()
    part.archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(BenchError, match=r"^the board: "):
        store(link).place(part)
    assert not list((link.root / "parts").iterdir())


def test_two_hosts_may_place_the_same(link: ShellLink, part: Part) -> None:
    both = [store(link), store(link)]
    for one in both:
        one.place(part)
    (there,) = (link.root / "parts").iterdir()
    assert (there / "bin/run").exists()


def test_what_was_cut_off_is_removed_but_not_what_goes_on_now(link: ShellLink, part: Part) -> None:
    for name, hours in ((".new-a-1", 49.0), (".new-b-2", 1.0)):
        (link.root / "parts" / name / "bin").mkdir(parents=True)
        os.utime(link.root / "parts" / name, (time.time() - hours * HOUR,) * 2)
    store(link).place(part)
    assert {one.name for one in (link.root / "parts").iterdir()} == {".new-b-2", part.key}


def test_a_file_keeps_its_name_and_takes_its_manifest_along(
    link: ShellLink, tmp_path: Path
) -> None:
    file = tmp_path / 'a "model"; of $HOME, it\'s.onnx'
    file.write_bytes(b"weights")
    there = Path(store(link).put(file))
    assert (there.name, there.read_bytes()) == (file.name, b"weights")
    Path(f"{file}.json").write_text("{}")
    again = Path(store(link).put(file))
    assert again != there  # a manifest that came or changed makes another
    assert Path(f"{again}.json").read_text() == "{}"
    assert store(link).put(file) == str(again)


def test_what_does_not_fit_is_not_begun(link: ShellLink, part: Part) -> None:
    huge = Part(key=part.key, title="x", archive=part.archive, unpacked_bytes=1 << 60)
    with pytest.raises(BenchError, match=r"^the board is full: \d+ MB are needed in .*; make room"):
        store(link).place(huge)
    assert not (link.root / "parts").exists()


def test_what_was_copied_is_taken_off_what_is_free(link: ShellLink, part: Part) -> None:
    seen = look(link)
    assert seen.survey.free_bytes
    half = seen.survey.free_bytes // 2 + 1
    told = Store(link, seen, lambda line: None)
    told.place(Part(key=part.key, title="x", archive=part.archive, unpacked_bytes=half))
    other = Part(key="0" * 64, title="y", archive=part.archive, unpacked_bytes=half)
    with pytest.raises(BenchError, match=r"is full"):
        told.place(other)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "256k") as disk:
        yield disk


def test_a_disk_that_fills_up_meanwhile_is_told(disk: Path, part: Part) -> None:
    """`df` may promise more than a user gets: blocks that are reserved, or a quota."""
    link = ShellLink(disk / "ours")
    generous = Part(key=part.key, title="x", archive=part.archive, unpacked_bytes=1)
    with pytest.raises(BenchError, match=r"^the board is full: 0 MB are needed in .* are free; ma"):
        store(link).place(generous)
    assert not list((disk / "ours/parts").iterdir())


@pytest.mark.parametrize("key", ["", "../x", "abc def", "$(id)"])
def test_what_is_no_key_makes_no_folder(link: ShellLink, key: str) -> None:
    with pytest.raises(BenchError, match=r"^the board: no key of a part$"):
        ask(link, script("place.sh"), f"{key}\n".encode())
    assert not link.root.exists()
