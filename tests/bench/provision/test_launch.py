"""The script that starts a bundle's Python, by any shell and from anywhere."""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

# It stands for the loader, and says how it was called.
_LOADER = """\
#!/bin/sh
echo "cwd=$PWD"
echo "home=$PYTHONHOME"
echo "path=$PYTHONPATH"
echo "launch=$SHUFFLENET_DEPLOY_LAUNCH"
echo "preload=${LD_PRELOAD-none}"
for word in "$@"; do echo "word=$word"; done
"""
SHELLS = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"], ["mksh"], ["ksh"]]


@pytest.fixture(params=["plain", "with space", "semi;colon", "quote's\"", "dollar$HOME`x`"])
def base(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A bundle's folder, under every name that a user may have chosen."""
    folder: Path = tmp_path / str(request.param)
    (folder / "lib").mkdir(parents=True)
    launch = files("shufflenet_deploy.bench.provision").joinpath("launch.sh").read_text()
    (folder / "launch").write_text(launch)
    loader = folder / "lib/ld-linux-aarch64.so.1"
    loader.write_text(_LOADER)
    loader.chmod(0o755)
    return folder


def start(
    shell: list[str], name: str, cwd: Path, **variables: str
) -> tuple[dict[str, str], list[str]]:
    """What the loader was told: variables, and words."""
    done = subprocess.run(
        [*shell, name, "-m", "a module", "x"],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    pairs = [line.partition("=")[::2] for line in done.stdout.splitlines()]
    return dict(pairs), [value for key, value in pairs if key == "word"]


@pytest.mark.parametrize(
    "shell",
    [shell for shell in SHELLS if shutil.which(shell[0])],
    ids=lambda shell: " ".join(shell),
)
def test_the_loader_gets_the_folder(shell: list[str], base: Path) -> None:
    said, words = start(
        shell, str(base / "launch"), Path("/"), SHUFFLENET_DEPLOY_PATH="/a b:/c", HOME="/x"
    )
    assert said["home"] == str(base)
    assert said["launch"] == str(base / "launch")
    assert said["path"] == "/a b:/c"
    libraries = "lib" if ";" in base.name else str(base / "lib")
    python = [str(base / "bin/python3"), "-S", "-s", "-m", "a module", "x"]
    assert words == ["--library-path", libraries, *python]
    assert said["cwd"] == (str(base) if ";" in base.name else "/")


@pytest.mark.parametrize("name", ["launch", "./launch"])
def test_it_may_be_called_from_within(name: str, base: Path) -> None:
    said, _ = start(["dash"], name, base)
    assert said["home"].rstrip("/.") == str(base)
    assert Path(said["launch"]).is_file()


def test_it_may_be_called_from_beside(base: Path) -> None:
    said, _ = start(["dash"], f"{base.name}/launch", base.parent)
    assert said["home"] == str(base)


def test_what_is_preloaded_for_other_programs_stays_out(base: Path) -> None:
    loaded = {"LD_PRELOAD": "", "LD_LIBRARY_PATH": "/nowhere"}
    said, _ = start(["dash"], str(base / "launch"), Path("/"), **loaded)
    assert said["preload"] == "none"
