"""shufflenet-train: a network of one's own images, by the paper's recipe."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shufflenet_deploy.models.networks import SHUFFLENET, parse_size
from shufflenet_deploy.models.options import WeightsKey
from shufflenet_deploy.models.training.recipe import (
    IMAGENET,
    QAT,
    QAT_LEARNING_RATE,
    TUNING,
    TUNING_LEARNING_RATE,
    Request,
    TrainingError,
    trained_networks,
)
from shufflenet_deploy.runtime.command_line import Version, neighbours, run
from shufflenet_deploy.runtime.endings import WRONG_USAGE
from shufflenet_deploy.runtime.errors import InferenceError, ModelsError

if TYPE_CHECKING:
    from shufflenet_deploy.models.training.run import Trained

app = typer.Typer()


@app.command(epilog=neighbours("shufflenet-train"))
def train(
    data: Annotated[
        str | None,
        typer.Option(
            help="FOLDER with a folder for each class, or with train and val in it and those "
            "there; or digits: scikit-learn's handwritten ones, bundled."
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|imagenet",
            help="Start from trained weights, of any published convention or of this command; "
            f"{IMAGENET} downloads the published ones. Other classes get a new classifier.",
            show_default="random ones",
        ),
    ] = None,
    weights_key: WeightsKey = None,
    freeze: Annotated[
        bool | None,
        typer.Option("--freeze", help="Train the classifier alone.", show_default="all of it"),
    ] = None,
    qat: Annotated[
        bool | None,
        typer.Option(
            "--qat",
            help="Go on with weights and activations rounded to 8 bits, as int8 will have them: "
            "for networks that int8 costs too much.",
            show_default="float",
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help=f"{' | '.join(trained_networks())}.", show_default=f"{SHUFFLENET}, or the weights'"
        ),
    ] = None,
    groups: Annotated[
        int | None, typer.Option(help="1 | 2 | 3 | 4 | 8.", show_default="3, or the weights'")
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            help="Width multiplier: 0.25 | 0.5 | 0.75 | 1.0 | 1.5 | 2.0.",
            show_default="1.0, or the weights'",
        ),
    ] = None,
    input_size: Annotated[
        str | None,
        typer.Option(
            help="Pixels: 224, or height x width as 480x640.",
            show_default="the weights', or 224; digits 64",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            show_default=f"240; digits 40; with --weights {TUNING['epochs']}, --qat {QAT['epochs']}"
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help="Of all processes together.",
            show_default=f"1024; digits 64; with --weights {TUNING['batch_size']}",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Of the first step; it falls linearly to 0.",
            show_default="0.5 x batch size / 1024; with --weights "
            f"{TUNING_LEARNING_RATE}, with --qat {QAT_LEARNING_RATE}",
        ),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(
            help="Of convolutions' and fully connected layers' weights.", show_default="4e-5"
        ),
    ] = None,
    label_smoothing: Annotated[float | None, typer.Option(show_default="0.1")] = None,
    smallest_crop: Annotated[
        float | None,
        typer.Option(
            help="Training images are random crops, of this share of the area or more.",
            show_default="0.35; digits 0.8",
        ),
    ] = None,
    flip: Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip",
            help="Mirror half of the training images.",
            show_default="flip; digits no-flip",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(show_default="0")] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=256,
            help="Processes that read images.",
            show_default="the cores, up to 8; 0 where the set fits into memory",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto | cpu | cuda.")] = "auto",
    amp: Annotated[
        bool | None,
        typer.Option(
            "--amp/--no-amp",
            help="Mixed precision: float16 on CUDA, bfloat16 on a CPU.",
            show_default="amp on CUDA",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The best network, weights only; what --resume takes (.last.pth) and the log "
            "(.csv) lie beside it.",
            show_default="checkpoint.pth",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Go on with a run: its .last.pth. It keeps its options and files."),
    ] = None,
    log: Annotated[Path | None, typer.Option(help="FOLDER for TensorBoard's files.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of a line.")
    ] = False,
    version: Version = False,
) -> None:
    """Train a ShuffleNet by the paper's recipe, and write it for shufflenet-export --weights.

    Several GPUs, a process each; --batch-size stays that of all together:

    torchrun --nproc-per-node 4 -m shufflenet_deploy.models.training.command --data FOLDER

    Several machines: this on each, with the data at the same path:

    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint HOST:29400 -m ...
    """
    options = {
        "data": data,
        "freeze": freeze,
        "qat": qat,
        "network": network,
        "groups": groups,
        "scale": scale,
        "input_size": None if input_size is None else parse_size(input_size),
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
        "smallest_crop": smallest_crop,
        "flip": flip,
        "seed": seed,
    }
    request = Request(options, weights, weights_key, out, resume, log, device, amp, workers)
    rank = os.environ.get("RANK", "0")
    try:
        request.check()
        _say("loading PyTorch")
        try:
            from shufflenet_deploy.models.training import run as train_run
        except ImportError as error:
            raise TrainingError(
                f"training needs {error.name}: pip install 'shufflenet-deploy[train]'"
            ) from None
        trained = train_run.train(request, _say)
    except (ModelsError, InferenceError) as error:
        if rank == "0":
            raise
        if getattr(error, "usage", False):  # the first process says the same
            raise typer.Exit(WRONG_USAGE) from None
        raise TrainingError(f"process {rank}: {error}") from None
    if rank == "0":
        _print(trained, as_json)


def _print(trained: Trained, as_json: bool) -> None:
    best, last, files = trained.best, trained.last, trained.files
    if as_json:
        document = {
            "checkpoint": str(files.best),
            "log": str(files.log),
            "recipe": asdict(trained.recipe),
            "labels": trained.labels,
            "counted": trained.counted,
            "best": {"top1": best.top1, **asdict(best)},
            "last": {"top1": last.top1, **asdict(last)},
            "unreadable": sorted(trained.unreadable),
        }
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(
        f"{files.best}: top-1 {best.top1:.2%}, {best.correct} of {best.held_out} "
        f"{trained.counted} images, after epoch {best.epoch} (the last epoch: {last.top1:.2%})"
    )


def _say(line: str) -> None:
    """Progress goes to stderr, results to stdout, and both from the first process only."""
    if os.environ.get("RANK", "0") == "0":
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def main() -> None:
    """Entry point of shufflenet-train."""
    run(app)


if __name__ == "__main__":
    main()
