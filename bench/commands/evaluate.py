"""``shufflenet-eval``: how often artifacts are right on labelled images.

Only what the options need is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from shufflenet_deploy.bench.commands.options import Engines
from shufflenet_deploy.runtime import MAX_THREADS
from shufflenet_deploy.runtime.command_line import Version, neighbours, run

if TYPE_CHECKING:
    from rich.console import Console

    from shufflenet_deploy.bench.accuracy.evaluation import Unusable

_NAMED = 3
"""How many unusable images are named on stderr; the JSON document has all."""

app = typer.Typer()


@app.command(epilog=neighbours("shufflenet-eval"))
def evaluate_artifacts(
    named: Annotated[
        list[Path],
        typer.Argument(
            metavar="ARTIFACT",
            help="Files of shufflenet-export, their manifests beside them. The others are "
            "compared with the first.",
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|digits",
            help="A folder with a folder of images for each class, or one with such a val or "
            "test in it; or scikit-learn's handwritten digits, those held out of training.",
        ),
    ],
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, show_default="all", help="At most so many images, spread over the classes."
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images that are run at once.")] = 16,
    threads: Annotated[
        int, typer.Option(min=1, max=MAX_THREADS, help="Threads of the engine.")
    ] = 1,
    engines: Engines = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", show_default=False, help="Where the JSON document goes as well."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    version: Version = False,
) -> None:
    """Say how often trained networks are right on labelled images.

    The share of images whose class is the network's best (top-1) or among its
    five best (top-5), with 95% intervals; and how each artifact differs from
    the first one on the very same images, such as int8 from fp32.
    """
    from dataclasses import replace

    import msgspec

    from shufflenet_deploy.bench.accuracy.classes import match, remarks
    from shufflenet_deploy.bench.accuracy.evaluate import Settings, evaluate
    from shufflenet_deploy.bench.accuracy.table import progress, show
    from shufflenet_deploy.bench.documents import EVALUATION, require_ours, write
    from shufflenet_deploy.bench.measure.artifacts import open_named
    from shufflenet_deploy.bench.measure.engines import engines_by_format, model_format
    from shufflenet_deploy.bench.presentation.terminal import stderr_console, stdout_console, tell
    from shufflenet_deploy.bench.results import check_writable
    from shufflenet_deploy.runtime.images.classify import require_trained
    from shufflenet_deploy.runtime.images.datasets import open_dataset

    if out:
        check_writable(out)
        require_ours(out, EVALUATION)
    by_format = engines_by_format(named, (), engines or ())
    artifacts = open_named(named)
    for artifact in artifacts:
        require_trained(artifact)
    dataset = open_dataset(data, "test")
    candidates = [
        replace(match(artifact, dataset.labels), engine=engine)
        for artifact in artifacts
        for engine in by_format[model_format(artifact.path).name]
    ]
    stderr = stderr_console()
    for line in remarks(dataset, artifacts, data):
        tell(line, stderr)
    with progress(stderr) as report:
        evaluation = evaluate(
            candidates,
            dataset if limit is None else dataset.limited(limit),
            data,
            Settings(batch=batch, threads=threads),
            time.perf_counter_ns,
            report,
        )
    _tell_unusable(evaluation.unusable, stderr)
    document = msgspec.json.encode(evaluation) + b"\n"
    if out:
        write(out, document)
    if as_json:
        sys.stdout.buffer.write(document)
    else:
        show(evaluation, stdout_console())


def main() -> NoReturn:
    """Exit codes: 0 done, 1 failed or interrupted, 2 wrong usage."""
    run(app)


def _tell_unusable(unusable: tuple[Unusable, ...], stderr: Console) -> None:
    from shufflenet_deploy.bench.presentation.terminal import tell

    for image in unusable[:_NAMED]:
        tell(f"left out: {image.reason}", stderr)
    if len(unusable) > _NAMED:
        tell(f"left out: {len(unusable) - _NAMED} more images that cannot be read", stderr)


if __name__ == "__main__":
    main()
