"""What is released, tried as a user gets it: ``make release-check``.

The wheel and the sdist are built and checked, the wheel is installed in clean environments with
each of its extras, and the README's way from weights to a report is gone there, outside the
checkout. What such an environment holds is listed as a software bill of materials.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from documents import ROOT, Document
from following import follow

WAY = "From weights to a report"
"""The README's section that is followed."""
_WAYS_EXTRAS = ("export", "report", "train")
_TORCH = "torch==2.13.0"
_COMMANDS = {
    "": ("shufflenet-bench", "shufflenet-classify"),
    "images": ("shufflenet-eval",),
    "export": ("shufflenet-export",),
    "train": ("shufflenet-train",),
    "adb": ("shufflenet-bench",),
    "report": ("shufflenet-report",),
}
"""Extra -> the commands that it is for."""


def project() -> dict[str, Any]:
    """The table ``project`` of pyproject.toml, which is where the version stands."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def notes(version: str, changelog: str) -> str:
    """What CHANGELOG.md says of `version`. Raises `ValueError` where it says nothing."""
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    for section in sections:
        heading, _, text = section.partition("\n")
        if heading.startswith(f"[{version}] - ") and text.strip():
            return text.strip()
    raise ValueError(
        f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD': name that of what is "
        "unreleased so"
    )


def main() -> int:
    """Exit code 0 where all of it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("dist"), help="[dist]")
    parser.add_argument(
        "--python", action="append", help="the interpreter of the environments, several [this one]"
    )
    parser.add_argument("--extra", action="append", choices=list(_COMMANDS), help="[all]")
    parser.add_argument("--tag", help="the release's: has to be v and the version")
    parser.add_argument("--notes", action="store_true", help="print the release's notes, no more")
    options = parser.parse_args()
    version = project()["version"]
    try:
        if options.tag not in (None, f"v{version}"):
            raise ValueError(f"pyproject.toml has version {version}, and the tag is {options.tag}")
        if options.tag or options.notes:
            text = notes(version, (ROOT / "CHANGELOG.md").read_text())
        if options.notes:
            print(text)
            return 0
        wheel = build(options.out)
        for python in options.python or [sys.executable]:
            for extra in options.extra or _COMMANDS:
                try_extra(python, wheel, extra)
            try_way(python, wheel, options.out)
    except (ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def build(out: Path) -> Path:
    """Build both packages, check them, and return the wheel.

    Of the sdist another wheel is built, which has to hold the same files.
    """
    for old in out.glob("shufflenet_deploy-*"):
        old.unlink()
    _run(sys.executable, "-m", "hatchling", "build", "--directory", out.resolve(), cwd=ROOT)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    _run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    with tempfile.TemporaryDirectory() as folder:
        _run("tar", "-xf", sdist.resolve(), cwd=folder)
        (source,) = Path(folder).iterdir()
        again = Path(folder) / "again"
        build_again = ("-m", "hatchling", "build", "--target", "wheel", "--directory", again)
        _run(sys.executable, *build_again, cwd=source)
        (second,) = again.glob("*.whl")
        if _contents(second) != _contents(wheel):
            raise RuntimeError(f"the wheel of {sdist.name} has other files than {wheel.name}")
    return wheel


def _contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as zipped:
        return {entry.filename: entry.CRC for entry in zipped.infolist()}


def try_extra(python: str, wheel: Path, extra: str) -> None:
    """Install `wheel` with `extra` in an environment of its own, and start what it is for."""
    print(f"{python}: {wheel.name}[{extra}]", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        scripts = install(python, wheel, [extra] if extra else [], Path(folder) / "venv")
        for command in _COMMANDS[extra]:
            said = _run(scripts / command, "--version", cwd=folder)
            if said.split() != ["shufflenet-deploy", project()["version"]]:
                raise RuntimeError(f"{command} --version says {said!r}")
            _run(scripts / command, "--help", cwd=folder)


def try_way(python: str, wheel: Path, out: Path) -> None:
    """Follow the README in a clean environment, and leave its bill of materials in `out`."""
    print(f"{python}: README, {WAY!r}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        venv, here = Path(folder) / "venv", Path(folder) / "here"
        scripts = install(python, wheel, _WAYS_EXTRAS, venv)
        (here / "tests").mkdir(parents=True)
        (here / "tests/data").symlink_to(ROOT / "tests/data")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        }
        environment["PATH"] = f"{scripts}:{environment['PATH']}"
        environment["XDG_CACHE_HOME"] = f"{folder}/cache"
        follow(Document(ROOT / "README.md"), here, environment, WAY)
        bill = out.resolve() / f"sbom-{_version(scripts / 'python')}.json"
        cyclonedx = ("cyclonedx_py", "environment", "--output-reproducible", "--validate")
        _run(sys.executable, "-m", *cyclonedx, "--output-file", bill, scripts / "python")


def install(python: str, wheel: Path, extras: Sequence[str], venv: Path) -> Path:
    """An environment with `wheel`, by the versions of constraints.txt; its folder of commands."""
    # Not every system's Python has a pip for others: this one's installs there too.
    _run(python, "-m", "venv", "--without-pip", venv)
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", venv, "install"]
    pip += ["--constraint", ROOT / "constraints.txt"]
    if {"export", "train"} & set(extras):
        _run(*pip, _TORCH)
    named = f"[{','.join(extras)}]" if extras else ""
    _run(*pip, f"shufflenet-deploy{named} @ {wheel.resolve().as_uri()}")
    _run(sys.executable, "-m", "pip", "--python", venv, "check")
    return venv / "bin"


def _version(python: Path) -> str:
    return _run(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()


def _run(*command: object, cwd: Path | str | None = None) -> str:
    """The output of a command. Raises `RuntimeError` with the end of what it said."""
    words = list(map(str, command))
    done = subprocess.run(
        words, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        said = "\n".join(_last(done.stdout + done.stderr))
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{said}")
    return done.stdout


def _last(text: str) -> Iterable[str]:
    return text.splitlines()[-20:]


if __name__ == "__main__":
    sys.exit(main())
