"""A document's commands, followed as a reader would: one after the other, in one folder."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from documents import Document

FOLLOWED_SECONDS = 1800
"""So long may one command take before it counts as one that hangs."""


def follow(
    document: Document, folder: Path, environment: Mapping[str, str], heading: str | None = None
) -> dict[str, str]:
    """Run the blocks of the section `heading`, or of all sections, in `folder`.

    A block of ``python`` is a program, each prompt of one of ``console`` a line for bash. Returns
    each with its output, in their order. Raises `RuntimeError` at the first that fails, with what
    it said.
    """
    followed = {}
    for language, typed in document.steps(heading):
        command = ["python", "-c", typed] if language == "python" else ["bash", "-euc", typed]
        done = subprocess.run(
            command, cwd=folder, env=dict(environment), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=FOLLOWED_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{typed}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        followed[typed] = done.stdout
    if not followed:
        raise RuntimeError(f"{document} has no commands below {heading!r}")
    return followed
