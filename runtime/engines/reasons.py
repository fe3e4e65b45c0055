"""Why an engine refuses a model, in its own words without the places in its source."""

from __future__ import annotations

import re

_PLACES = (
    re.compile(r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : "),
    # A file and line, and the function with its parameters that some messages have after it.
    re.compile(
        r"(?<![\w./-])[\w./-]+\.(?:cc|cpp|h):\d+"
        r"(?: (?:[\w:]+ )?[\w:~]+\((?:[^()]|\([^()]*\))*\))?\s*"
    ),
)
_LONGEST = 500


def reason(error: Exception) -> str:
    """What `error` says, in one line."""
    said = " ".join(str(error).split())
    for place in _PLACES:
        said = place.sub("", said)
    said = said.strip() or type(error).__name__
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]} ..."
