"""What GitHub runs, as far as it can be known without GitHub."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("ruamel.yaml", reason="needs check-jsonschema, which brings a parser")

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
_PINNED = re.compile(r"[\w.-]+/[\w.-]+(/[\w./-]+)?@(v\d+\.\d+\.\d+|[0-9a-f]{40})")


def parsed(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.YAML(typ="safe").load(path)
    return document


def installed(program: str) -> str:
    """A program of this environment. Skips the test where it is not installed."""
    found = shutil.which(program, path=sysconfig.get_path("scripts"))
    if not found:
        pytest.skip(f"needs {program}: pip install -c constraints.txt '.[dev]'")
    return found


def checked(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    # It is the one linter that types the expressions; it also checks scripts where there is a
    # shellcheck.
    checked(installed("actionlint"), *WORKFLOWS)


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.dependabot", [ROOT / ".github/dependabot.yml"]),
    ],
)
def test_they_fit_the_published_schema(schema: str, files: list[Path]) -> None:
    assert files
    checked(sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_jobs_end(path: Path) -> None:
    workflow = parsed(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    for name, job in workflow["jobs"].items():
        if "uses" in job:  # a workflow of our own, whose jobs are checked by themselves
            assert job["uses"].startswith("./")
            continue
        assert 0 < job["timeout-minutes"] <= 90, name
        for step in job["steps"]:
            if "uses" in step:
                assert _PINNED.fullmatch(step["uses"]), step["uses"]
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_a_release_waits_for_the_tests() -> None:
    jobs = parsed(ROOT / ".github/workflows/release.yml")["jobs"]

    def waits_for(name: str) -> set[str]:
        needed = jobs[name].get("needs", [])
        names = {needed} if isinstance(needed, str) else set(needed)
        return names.union(*(waits_for(one) for one in names))

    publishing = [
        name for name, job in jobs.items() if "write" in {*job.get("permissions", {}).values()}
    ]
    assert sorted(publishing) == ["github", "image", "pypi"]
    assert all({"check", "packages"} <= waits_for(name) for name in publishing)
