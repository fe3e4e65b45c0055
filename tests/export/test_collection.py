"""When garbage is looked for, and when not."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from shufflenet_deploy.export.collection import without_collection

_CIRCLE = """
import gc, sys
from shufflenet_deploy.export.collection import keep_what_is_there
gc.disable()

class Circle:
    def __init__(self):
        self.itself = self
    def __del__(self):
        sys.stderr.write("collected")

{before}
keep_what_is_there()
{after}
"""


@pytest.mark.parametrize("enabled", [True, False])
def test_collection_goes_on_as_before(enabled: bool) -> None:
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with without_collection():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("Circle()", "", ""),
        ("", "Circle()", "collected"),
    ],
    ids=["before", "after"],
)
def test_what_is_there_is_not_gone_through_again(before: str, after: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CIRCLE.format(before=before, after=after)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, said)


def test_libraries_say_nothing_at_the_end_of_an_export(tmp_path: Path) -> None:
    """Some have found what Python did not collect, and complained at length."""
    words = f"--groups 3 --scale 0.25 --input-size 32 --format onnx --out {tmp_path}"
    done = subprocess.run(
        [sys.executable, "-m", "shufflenet_deploy.export", *words.split()],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1].endswith("recognising anything"), done.stderr
