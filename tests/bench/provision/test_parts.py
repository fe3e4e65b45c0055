"""Parts: equal contents make equal archives, and what was made once is not made again."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shufflenet_deploy.bench.provision.cache import host_cache
from shufflenet_deploy.bench.provision.parts import made, pack, project_part, unpacked
from shufflenet_deploy.runtime.errors import BenchError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return host_cache()


def grow(tree: Path, order: list[str]) -> Path:
    """Files `order`, made in that order."""
    for name in order:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"this is {name}\n")
    return tree


def test_equal_folders_make_equal_archives(tmp_path: Path) -> None:
    first = grow(tmp_path / "first", ["a", "b/c", "b/d e"])
    second = grow(tmp_path / "second", ["b/d e", "a", "b/c"])
    os.utime(second / "a", (1, 1))
    (second / "a").chmod(0o600)
    one, other = (
        pack(tree, "it", grow(tmp_path / f"out-{tree.name}", [".keep"])) for tree in (first, second)
    )
    assert one.key == other.key
    assert one.archive.read_bytes() == other.archive.read_bytes()
    assert one.unpacked_bytes == sum(len(f"this is {name}\n") for name in ("a", "b/c", "b/d e"))


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "a").write_text("that"),
        lambda tree: (tree / "a").rename(tree / "z"),
        lambda tree: (tree / "a").chmod(0o755),
        lambda tree: (tree / "empty").mkdir(),
    ],
    ids=["content", "name", "right to be executed", "folder"],
)
def test_other_folders_have_other_keys(
    tmp_path: Path, cache: Path, change: Callable[[Path], object]
) -> None:
    tree = grow(tmp_path / "tree", ["a", "b"])
    before = pack(tree, "it", cache)
    change(tree)
    assert pack(tree, "it", cache).key != before.key


def test_what_was_made_is_made_once(cache: Path) -> None:
    filled: list[Path] = []

    def fill(folder: Path) -> None:
        filled.append(grow(folder, ["a"]))

    first = made("a recipe", "a title", fill)
    assert made("a recipe", "a title", fill) == first
    assert len(filled) == 1
    first.archive.unlink()
    assert made("a recipe", "a title", fill) == first
    assert len(filled) == 2
    assert not [path.name for path in (cache / "parts").iterdir() if path.name.startswith(".new")]


@pytest.mark.parametrize("damage", ["cut off", "altered", "gone"])
def test_an_archive_that_was_damaged_is_made_anew(cache: Path, damage: str) -> None:
    def fill(folder: Path) -> None:
        (folder / "file").write_bytes(bytes(range(256)) * 40)

    first = made("a recipe", "a title", fill)
    whole = first.archive.read_bytes()
    if damage == "gone":
        first.archive.unlink()
    else:
        first.archive.write_bytes(whole[:-20] if damage == "cut off" else b"?" + whole[1:])
    assert made("a recipe", "a title", fill) == first
    assert first.archive.read_bytes() == whole


def test_a_failure_leaves_nothing_behind(cache: Path) -> None:
    def fill(folder: Path) -> None:
        grow(folder, ["a"])
        raise BenchError("no")

    with pytest.raises(BenchError):
        made("a recipe", "a title", fill)
    assert [path.name for path in (cache / "parts").iterdir()] == [".lock"]


def test_a_part_is_unpacked_as_it_was(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        grow(folder, ["b/c"])
        (folder / "b/c").chmod(0o755)

    tree = unpacked(made("a recipe", "a title", fill))
    assert (tree / "b/c").read_text() == "this is b/c\n"
    assert os.access(tree / "b/c", os.X_OK)
    assert unpacked(made("a recipe", "a title", fill)) == tree


def test_python_has_nothing_to_compile_in_what_is_unpacked(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    def fill(folder: Path) -> None:
        (folder / "package").mkdir()
        (folder / "package/__init__.py").write_text("from package import odd\n")
        (folder / "package/odd.py").write_text("PATTERN = '\\d'\n1 / 0\n")
        (folder / "broken.py").write_text("this is of another Python\n")

    tree = unpacked(made("a recipe", "a title", fill))
    files = sorted(tree.rglob("*"))
    command = [sys.executable, "-c", "import package"]
    environment = {"PYTHONPATH": str(tree)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert f'File "{tree}/package/odd.py", line 2' in ran.stderr  # as if compiled where it is now
    assert sorted(tree.rglob("*")) == files
    assert len([file for file in files if file.suffix == ".pyc"]) == 2
    assert not recwarn.list


def test_nothing_but_names_contents_and_rights_is_in_the_archive(
    tmp_path: Path, cache: Path
) -> None:
    with tarfile.open(pack(grow(tmp_path / "tree", ["a", "b/c"]), "it", cache).archive) as tar:
        members = [(one.name, one.mode, one.mtime, one.uid, one.uname) for one in tar]
    assert members == [
        ("a", 0o644, 0, 0, ""),
        ("b", 0o755, 0, 0, ""),
        ("b/c", 0o644, 0, 0, ""),
    ]


def test_the_projects_own_part_is_its_runtime_and_its_version() -> None:
    tree = unpacked(project_part())
    names = {path.relative_to(tree).parts[:2] for path in tree.rglob("*") if path.is_file()}
    version = importlib.metadata.version("shufflenet-deploy")
    assert names == {
        ("shufflenet_deploy", "runtime"),
        (f"shufflenet_deploy-{version}.dist-info", "METADATA"),
    }
    program = (
        "from importlib.metadata import version; import shufflenet_deploy.runtime as r;"
        "print(version('shufflenet-deploy'), r.__file__)"
    )
    said = subprocess.run(
        [sys.executable, "-S", "-B", "-c", program],
        env={"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == [version, str(tree / "shufflenet_deploy/runtime/__init__.py")]


def test_a_cache_that_cannot_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(BenchError, match=r"cannot keep what devices need.*set XDG_CACHE_HOME"):
        host_cache()
