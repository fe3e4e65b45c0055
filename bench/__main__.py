"""``shufflenet-bench``: its commands; measuring is the one that needs no name.

Only what the options need is imported here and in the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from shufflenet_deploy.bench.commands import (
    boards,
    comparison,
    counts,
    measurement,
    show,
    verification,
)
from shufflenet_deploy.runtime.command_line import neighbours, run

_COMPLETION = ("--install-completion", "--show-completion")
"""What Typer itself has a group of commands take."""
_OTHERS = (
    "Other commands: shufflenet-bench compare A.json B.json says what changed; "
    "shufflenet-bench counts counts instructions on emulated ARM64 processors; "
    "shufflenet-bench show FILE prints what was measured earlier; "
    "shufflenet-bench verify checks what artifacts compute on a device; "
    f"shufflenet-bench devices lists the boards. {neighbours('shufflenet-bench')}"
)


class _MeasureByDefault(TyperGroup):
    """Without the name of a command, the words are those of ``run``.

    A callback with a variadic argument would swallow the commands' names.
    """

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if ctx.resilient_parsing and not args:  # a shell completes the first word
            return super().parse_args(ctx, args)
        if not args or args[0] not in (*self.commands, *_COMPLETION):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The commands, and what may follow where none is named."""
        measure = self.commands["run"]
        with measure.make_context("run", [], parent=ctx, resilient_parsing=True) as own:
            return [
                *super().shell_complete(ctx, incomplete),
                *measure.shell_complete(own, incomplete),
            ]


app = typer.Typer(
    cls=_MeasureByDefault,
    help="Measure how long networks take, and judge what the ShuffleNet paper says of it.",
)
app.command("run", epilog=_OTHERS)(measurement.run)
app.command("compare")(comparison.compare)
app.command("counts")(counts.counts)
app.command("show")(show.show)
app.command("verify")(verification.verify)
app.command("devices")(boards.devices)


def main() -> NoReturn:
    """Exit codes: 0 done, 1 failed or interrupted, 2 wrong usage."""
    run(app)


if __name__ == "__main__":
    main()
