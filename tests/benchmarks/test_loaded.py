"""A command in a row beside busy neighbours, as `make test-loaded` runs the tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import HANG_SECONDS, is_running, wait_until

LOADED = Path(__file__).parents[2] / "benchmarks/loaded.py"
# Of the n-th run: what else the starter runs.
_COUNT = """
import sys
from pathlib import Path
runs, last, starter = Path(sys.argv[1]), int(sys.argv[2]), __import__("os").getppid()
with runs.open("a") as file:
    print(Path(f"/proc/{starter}/task/{starter}/children").read_text(), file=file)
sys.exit(3 * (len(runs.read_text().splitlines()) == last))
"""


def start(runs: Path, code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, str(LOADED), "--runs", "3", "--beside", "spin", "--beside", "spin"),
            *("--", sys.executable, "-c", code, str(runs), *arguments),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("failing", "code", "runs"), [("2", 1, 2), ("0", 0, 3)])
def test_it_ends_with_the_first_run_that_fails_and_takes_its_neighbours_along(
    tmp_path: Path, failing: str, code: int, runs: int
) -> None:
    with start(tmp_path / "runs", _COUNT, failing) as process:
        _, said = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == code
    assert ("error: run 2 of 3 failed with exit code 3: " in said) == bool(code)
    lines = (tmp_path / "runs").read_text().splitlines()
    assert len(lines) == runs
    neighbours = set.intersection(*(set(line.split()) for line in lines))
    assert len(neighbours) == 2
    assert not [number for number in neighbours if is_running(int(number))]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_no_neighbour_is_left(tmp_path: Path, number: int) -> None:
    children = tmp_path / "runs"
    with start(children, _COUNT + "sys.exit(0)", "0") as process:
        wait_until(lambda: children.exists() and children.read_text().endswith("\n"))
        process.send_signal(number)
        process.communicate(timeout=HANG_SECONDS)
    started = children.read_text().split()
    wait_until(lambda: not [child for child in started if is_running(int(child))])
