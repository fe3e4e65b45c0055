"""When garbage is looked for, and when not."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from shufflenet_deploy.export.collection import without_collection

_CIRCLE = """
import sys
from shufflenet_deploy.export.collection import no_collection_at_exit

class Circle:
    def __init__(self):
        self.itself = self
    def __del__(self):
        sys.stderr.write("collected")

{before}
Circle()
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
    ("before", "said"), [("", "collected"), ("no_collection_at_exit()", "")], ids=["usual", "none"]
)
def test_a_process_can_end_without_looking_for_garbage(before: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CIRCLE.format(before=before)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, said)
