"""Options for accuracy beside speed, apart so that the help of a report answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Evaluated = Annotated[
    Path | None,
    typer.Option(
        "--eval",
        metavar="FILE",
        help="What shufflenet-eval --out wrote of the same files: accuracy beside speed.",
    ),
]
