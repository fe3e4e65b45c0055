"""How PyTorch's threads wait for each other."""

from __future__ import annotations

import os

_WAIT_POLICY = "OMP_WAIT_POLICY"


def wait_without_spinning() -> None:
    """Have them sleep, unless the user says otherwise; to be called before PyTorch is loaded.

    By default each keeps its core busy while it waits for the others, which need that core where
    the machine has other work: an export beside a test run took ten times as long. See the OpenMP
    specification, "Environment Variables".
    """
    os.environ.setdefault(_WAIT_POLICY, "passive")
