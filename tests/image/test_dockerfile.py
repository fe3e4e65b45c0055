"""Dockerfile.arm64, built and run: the real steps and commands, on an emulated processor."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from image import USER, build, hand_over
from image_base import store
from image_buildah import Buildah, Done, missing
from shufflenet_deploy.runtime.errors import BenchError

pytestmark = pytest.mark.slow

MAX_MEGABYTES = 200
"""Of what the image adds to its base."""
_ELSEWHERE = (
    "import importlib.util as u\n"
    "for name in ('torch', 'onnx', 'pip', 'shufflenet_deploy.bench', 'numpy'):\n"
    "    print(name, u.find_spec(name) is not None)\n"
)


@dataclass(frozen=True)
class Running:
    """A container of the image."""

    buildah: Buildah
    name: str
    entry_point: list[str]

    def run(self, *words: str, folder: Path | None = None, user: str | None = None) -> Done:
        """Run `words`, with `folder` where the image works."""
        mounted = {folder: "/work"} if folder else None
        return self.buildah.run(self.name, words, mounted=mounted, user=user)

    def start(self, *words: str, folder: Path | None = None, user: str | None = None) -> Done:
        """What ``docker run IMAGE words`` does."""
        return self.run(*self.entry_point, *words, folder=folder, user=user)


@pytest.fixture(scope="module")
def container() -> Iterator[Running]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    try:
        buildah = Buildah.open(store())
        image = build(buildah)
    except BenchError as error:
        pytest.skip(f"no image: {error}")
    entry_point = buildah.configuration(image)["Entrypoint"]
    with buildah.container(image) as name:
        yield Running(buildah, name, entry_point)


@pytest.mark.parametrize("user", [USER, 4321], ids=["its own user", "another user"])
def test_it_measures(container: Running, tiny_artifacts: Path, tmp_path: Path, user: int) -> None:
    for path in tiny_artifacts.glob("*x0.25*"):
        shutil.copy(path, tmp_path)
    hand_over(tmp_path, user)
    names = sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".json")
    assert len(names) == 2
    brief = ("--rounds", "1", "--processes", "1")
    done = container.start(*names, *brief, folder=tmp_path, user=f"{user}:{user}")
    assert done.code == 0, done.stderr
    assert "litert" in done.stdout
    assert "onnxruntime" in done.stdout

    written = tmp_path / "results.json"
    assert written.stat().st_uid == user
    results = json.loads(written.read_text())
    assert results["environment"]["architecture"] == "aarch64"
    assert [model["probe"]["difference"] < 1e-4 for model in results["models"]] == [True, True]
    assert [run["type"] for run in results["runs"]] == ["timed"]
    assert results["ended"] == "done"


def test_it_is_not_root_and_has_no_more_than_it_needs(container: Running) -> None:
    assert container.run("id", "-u").stdout.strip() == str(USER)
    assert container.run("sh", "-c", "pwd; touch here && rm here").stdout.strip() == "/work"
    assert container.run("touch", "/opt/shufflenet-deploy/here").code != 0
    found = container.run("python3", "-c", _ELSEWHERE).stdout.split()
    assert dict(zip(found[::2], found[1::2], strict=True)) == {
        "torch": "False",
        "onnx": "False",
        "pip": "False",
        "shufflenet_deploy.bench": "True",
        "numpy": "True",
    }
    size = container.run("du", "-sm", "/opt/shufflenet-deploy").stdout.split()[0]
    assert int(size) <= MAX_MEGABYTES


def test_wrong_usage_is_one_line(container: Running) -> None:
    done = container.start("--threads", "many")
    assert done.code == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: --threads 'many'")


def test_what_it_lacks_is_said(container: Running) -> None:
    done = container.start("--suite", "quick")
    assert done.code in (1, 2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: missing in artifacts: shufflenet-v1-g3-x0.5-224x224-fp32")


def test_other_commands_are_reached_by_another_entry_point(container: Running) -> None:
    assert container.entry_point[0] == "shufflenet-bench"
    done = container.run(container.entry_point[0], "devices")
    assert done.code == 0, done.stderr
    assert "rpi5" in done.stdout
