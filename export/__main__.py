"""shufflenet-export: from a network to verified artifacts."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shufflenet_deploy.export.collection import keep_what_is_there, without_collection
from shufflenet_deploy.export.request import (
    IMAGENET,
    INPUT_TYPES,
    LOWERINGS,
    MAX_DROP,
    MIN_AGREEMENT,
    PRECISIONS,
    RANDOM,
    TARGETS,
    Request,
)
from shufflenet_deploy.models.networks import NETWORKS, SHUFFLENET, parse_size
from shufflenet_deploy.models.options import WeightsKey
from shufflenet_deploy.runtime.artifact import Artifact
from shufflenet_deploy.runtime.command_line import Version, neighbours, print_table, run
from shufflenet_deploy.runtime.errors import ExportError
from shufflenet_deploy.runtime.formats import FORMATS

if TYPE_CHECKING:
    from shufflenet_deploy.export.cost import Cost
    from shufflenet_deploy.export.making import Analysis

app = typer.Typer()


@app.command(epilog=neighbours("shufflenet-export"))
def export(
    network: Annotated[
        str | None,
        typer.Option(
            help=f"{' | '.join(NETWORKS)}.", show_default=f"{SHUFFLENET}, or the weights'"
        ),
    ] = None,
    groups: Annotated[
        int | None,
        typer.Option(help="Groups of ShuffleNet: 1 | 2 | 3 | 4 | 8.", show_default="3"),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            help="Width multiplier: 0.25 | 0.5 | 0.75 | 1.0 | 1.5 | 2.0; MobileNet to 1.0.",
            show_default="1.0",
        ),
    ] = None,
    format_: Annotated[
        list[str] | None,
        typer.Option("--format", help=f"{' | '.join(FORMATS)}; repeatable.", show_default="all"),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(help=f"{' | '.join(PRECISIONS)}; repeatable.", show_default="fp32"),
    ] = None,
    input_size: Annotated[
        str | None,
        typer.Option(
            help="Pixels: 224, or height x width as 480x640.", show_default="224, or the weights'"
        ),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            metavar="random|imagenet|FILE",
            help=f"{RANDOM}: seeded, right for timing, not to recognise. {IMAGENET}: downloads "
            "the published checkpoint. A file: any published convention, found from its keys.",
        ),
    ] = RANDOM,
    weights_key: WeightsKey = None,
    calibration: Annotated[
        str | None,
        typer.Option(metavar="FOLDER|digits", help="Images for int8; random weights take noise."),
    ] = None,
    samples: Annotated[int, typer.Option(help="Most images to calibrate with.")] = 256,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="digits|FOLDER",
            help="Labelled images on which int8 of trained weights is compared with fp32.",
        ),
    ] = None,
    min_agreement: Annotated[
        float,
        typer.Option(
            help="Percent of the held-out images to which int8 of trained weights has to give "
            "the class that fp32 gives, or nothing is written."
        ),
    ] = MIN_AGREEMENT,
    max_drop: Annotated[
        float,
        typer.Option(help="Points of top-1 that int8 may lose on --data, or nothing is written."),
    ] = MAX_DROP,
    analyse: Annotated[
        bool,
        typer.Option("--analyse", help="Print the layers of int8 by what each costs alone."),
    ] = False,
    io: Annotated[
        str,
        typer.Option(
            help=f"{' | '.join(INPUT_TYPES)}: the input's type; with uint8 a camera's frame goes "
            "in as it is."
        ),
    ] = "float32",
    target: Annotated[
        str, typer.Option(help=f"{' | '.join(TARGETS)}: for which processor int8 is made.")
    ] = TARGETS[0],
    lowering: Annotated[
        str,
        typer.Option(
            help=f"{' | '.join(LOWERINGS)}: with the exact rewrites that engines run faster, or "
            "as the network stands."
        ),
    ] = "fast",
    out: Annotated[Path, typer.Option(help="Folder for artifacts and their manifests.")] = Path(
        "artifacts"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of a table.")
    ] = False,
    version: Version = False,
) -> None:
    """Export a network, verified on the engine that will run it.

    Each artifact is run against the network on seeded images, and is written only where the
    two agree. Its manifest lies beside it, under its name and .json.
    """
    request = Request(
        network=network,
        groups=groups,
        scale=scale,
        input_size=None if input_size is None else parse_size(input_size),
        formats=tuple(format_ or FORMATS),
        precisions=tuple(precision or PRECISIONS[:1]),
        lowering=lowering,
        target=target,
        io=io,
        weights=weights,
        weights_key=weights_key,
        calibration=calibration,
        samples=samples,
        min_agreement=min_agreement,
        max_drop=max_drop,
        data=data,
        analyse=analyse,
        out=out,
    )
    _say("loading PyTorch")
    # PyTorch's threads keep their cores busy while they wait for each other, which takes a multiple
    # of the time where other programs need these too (OpenMP specification, OMP_WAIT_POLICY).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        from shufflenet_deploy.export import cost, pipeline

        keep_what_is_there()
    except ImportError as error:
        raise ExportError(
            f"exporting needs {error.name}, which is not installed: "
            "pip install 'shufflenet-deploy[export]'"
        ) from None
    weighing = cost.Weighing(request.data, request.max_drop)
    analyses: list[Analysis] = []
    analysed = analyses.append if analyse else None
    try:
        artifacts = pipeline.export(request, _say, weighing, analysed)
    except ExportError:
        # What was refused is what one wants to know of.
        if analyses and not as_json:
            _print_tables([], [], analyses)
        raise
    if as_json:
        _print_json(artifacts, weighing.costs, analyses)
    else:
        _print_tables(artifacts, weighing.costs, analyses)
    for artifact in artifacts:
        if artifact.manifest.verification is None:
            _say(_not_run(artifact))
    if weights == RANDOM:
        _say("the weights are random: right for measuring time, useless for recognising anything")


def _print_json(artifacts: list[Artifact], costs: list[Cost], analyses: list[Analysis]) -> None:
    import msgspec

    rows = [
        {"path": str(artifact.path), "manifest": msgspec.to_builtins(artifact.manifest)}
        for artifact in artifacts
    ]
    document = {
        "artifacts": rows,
        "int8_costs": msgspec.to_builtins(costs),
        "int8_layers": msgspec.to_builtins(analyses),
    }
    typer.echo(json.dumps(document, indent=2))


def _print_tables(artifacts: list[Artifact], costs: list[Cost], analyses: list[Analysis]) -> None:
    from rich.console import Console
    from rich.table import Table

    from shufflenet_deploy.export.tables import artifacts_table, costs_table, layers_tables

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a pipe has no width: keep one artifact on one line
    blocks: list[tuple[str | Table, ...]] = []
    if artifacts:
        blocks.append((artifacts_table(artifacts),))
    if costs:
        blocks.append((costs_table(costs),))
    blocks += layers_tables(analyses)
    for number, block in enumerate(blocks):
        if number:
            console.print()
        for part in block:
            if isinstance(part, Table):
                print_table(part, console)
            else:
                console.print(part, soft_wrap=True)


def _not_run(artifact: Artifact) -> str:
    """Why it was not run here, and how to check it where it runs."""
    from shufflenet_deploy.runtime.engines import why_not_here

    return (
        f"not run here: {why_not_here(artifact.path)}; check what it computes by "
        f"shufflenet-bench verify {shlex.quote(str(artifact.path))} --device NAME"
    )


def _say(line: str) -> None:
    """Progress goes to stderr, results to stdout."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> None:
    """Entry point of shufflenet-export."""
    with without_collection():
        run(app)


if __name__ == "__main__":
    main()
