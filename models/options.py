"""Options of commands that take trained weights."""

from __future__ import annotations

from typing import Annotated

import typer

WeightsKey = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Where in that file the weights are, of several.",
        show_default="averages (EMA), or what is a whole network",
    ),
]
"""``--weights-key``."""
